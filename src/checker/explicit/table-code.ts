/**
 * The hash table of a search as JavaScript text: successors in the buffer `B` are looked up in passes, so that the
 * cache misses of many of them overlap.
 *
 * An entry of the table is the number of a state plus 1 in its low bits and, in the bits above, the same bits of the
 * state's hash; the slot is the low bits. A state that merely collides is told apart without being fetched.
 */

export interface TableShape {
  /** Words of a state. An element of the buffer has one more: the number of the state it was reached from. */
  readonly words: number;
  /** There is a function `canon`, to be called for each successor. */
  readonly symmetric: boolean;
  /** What is inserted is numbered in R. */
  readonly kept: boolean;
  /** Of a state, 64 bits of hash are stored; in full only those of the frontier, from number `base` on. */
  readonly fingerprints: boolean;
}

/** Successors that are looked up together. */
export const BURST = 200;

/** Slots of the table of recent states: 512 KB. */
export const RECENT = 1 << 17;

/** Successors sent to other parts last, which are not sent again: some 400 KB, as states mostly have two words or three. */
const SENT = 1 << 15;

/** Most parts of a divided search. */
export const MOST_PARTS = 64;

const FINISH = "h=imul(h^h>>>16,0x85ebca6b);h=imul(h^h>>>13,0xc2b2ae35);h^=h>>>16;";

class TableCode {
  readonly #words: number;
  readonly stride: number;
  readonly symmetric: boolean;
  readonly #kept: boolean;
  readonly #fingerprints: boolean;

  constructor({ words, symmetric, kept, fingerprints }: TableShape) {
    this.#words = words;
    this.stride = words + 1;
    this.symmetric = symmetric;
    this.#kept = kept;
    this.#fingerprints = fingerprints;
  }

  #each(text: (k: number, plus: string) => string, separator = ""): string {
    return Array.from({ length: this.#words }, (_, k) => text(k, k > 0 ? `+${k}` : "")).join(separator);
  }

  /** Declares h, the hash of the state in b at q. */
  get hash(): string {
    const words = this.#each((k, plus) => {
      const word = `b[q${plus}]`;
      return k === 0 ? `let h=${word};` : `h=imul(h^h>>>15,0x2c1b3c6d)^imul(${word},0x9e3779b1);h=h<<13|h>>>19;`;
    });
    return words + FINISH + (this.#fingerprints ? this.#second : "");
  }

  /** Declares g, another hash of the state in b at q: MurmurHash3 (Appleby, public domain). */
  get #second(): string {
    const words = this.#each(
      (_, plus) =>
        `g^=imul((v=imul(b[q${plus}],0xcc9e2d51))<<15|v>>>17,0x1b873593);g=imul(g<<13|g>>>19,5)+0xe6546b64|0;`,
    );
    return `let g=0x3c6ef372,v=0;${words}${FINISH.replaceAll("h", "g")}`;
  }

  /** The entry's state, which begins at a in s, is that of hashes h and g, or, in full, that in b at q. */
  #isAt(array: string, at: string): string {
    return this.#fingerprints ? `FP[${at}]===h&&FP[${at}+1]===g` : this.equal(array, at);
  }

  /** The state in `array` at `at` is that in b at q. */
  equal(array: string, at: string): string {
    return this.#each((_, plus) => `${array}[${at}${plus}]===b[q${plus}]`, "&&");
  }

  copy(array: string, at: string, from = "b", q = "q"): string {
    return this.#each((_, plus) => `${array}[${at}${plus}]=${from}[${q}${plus}];`);
  }

  /** Where what is stored of the state of entry e lies. */
  get place(): string {
    const size = this.#fingerprints ? 2 : this.#words;
    return `(e&m)*${size}-${size}`;
  }

  /** Walks to the state in b at q, of hash h; e is its entry, or 0 and j the free slot. */
  get walk(): string {
    return (
      `let j=h&m,e=0;while((e=t[j])!==0){if(((e^h)&~m)===0){const a=${this.place};` +
      `if(${this.#isAt("s", "a")})break;}j=(j+1)&m;}`
    );
  }

  /**
   * `insert(n)`: puts the n elements of the buffer into the table. Most successors that are not new were found
   * moments ago, so a small table of what was inserted last, which stays in the processor's cache, spares most of the
   * accesses to the large one.
   */
  whole(): string[] {
    const canonical = this.symmetric ? "canon(q);" : "";
    const link = `const f=b[q+${this.#words}];if(f<0){P[x]=1;P[~f]+=2;}else P[f]+=2;`;
    return [
      "function probe(n){const s=S,b=B,d=D,m=T.length-1;let k=0,z=0;" +
        `for(let q=0;q<n;q+=${this.stride},k++){${canonical}${this.hash}H[k]=h;${this.#fingerprints ? "H2[k]=g;" : ""}${this.#unlessRecent()}}` +
        `${this.#touch}return k;}`,
      `function insert(n){sum+=probe(n);${this.#putNew(link)}}`,
      // The second pass touches nothing but the table: what is looked up was found together and lies together.
      "function lookup(n){const t=T,s=S,b=B,m=t.length-1;let k=0,w=0;" +
        `for(let q=0;q<n;q+=${this.stride},k++){${this.#numbered}${this.hash}H[k]=h;${this.#fingerprints ? "H2[k]=g;" : ""}w|=t[h&m];}touched=w;` +
        `for(let i=0,q=0;i<k;i++,q+=${this.stride}){${this.#hashed}${this.walk}R[i]=(e&m)-1;}return k;}`,
      this.#rehash,
    ];
  }

  /**
   * The same for one part of a divided search. The part of a state is chosen by a product of its hash, of which both
   * the slot and the bits kept in the entry are independent enough. `route` puts successors into the outboxes of their
   * parts, its own too, each with its hash, but for those found or sent moments ago: who is first keeps the parent, so
   * that the next would change nothing. `absorb` puts into the table what is in an outbox.
   */
  parted(parents: boolean): string[] {
    const { stride } = this;
    const words = this.#words;
    const size = elementSize(words, parents);
    const hash = size - 1;
    const part = "(imul(h,0x9e3779b1)>>>20)*parts>>>12";
    const canonical = this.symmetric ? "canon(q);" : "";
    const number = parents ? `const f=b[q+${words}];x[a+${words}]=f<0?~(~f<<bits|own):f<<bits|own;` : "";
    return [
      `const owners=new Uint8Array(H.length),one=new Int32Array(${size}),filled=new Int32Array(${MOST_PARTS});` +
        "let parts=1,own=0,bits=0,low=0,outs=[],SS=[],TT=[];",
      "function divide(x){parts=x.parts;own=x.own;bits=x.bits;low=(1<<bits)-1;outs=x.outboxes;}",
      "function see(list){SS=list.map((x)=>x.states);TT=list.map((x)=>x.table);}",
      `const sent=new Int32Array(${SENT * (words + 1)});for(let i=0;i<${SENT};i++)sent[i*${words + 1}+${words}]=~i;`,
      "function route(n){const b=B,c=sent,d=D,s=S,m=T.length-1;" +
        `for(let q=0;q<n;q+=${stride}){${canonical}${this.hash}const o=${part};` +
        `if(o===own){const e=d[h&${RECENT - 1}];` +
        `if(e!==0&&((e^h)&~m)===0){const a=${this.place};if(${this.equal("s", "a")})continue;}}` +
        `else{const a=(h&${SENT - 1})*${words + 1};if(c[a+${words}]===h&&${this.equal("c", "a")})continue;` +
        `${this.copy("c", "a")}c[a+${words}]=h;}const x=outs[o],a=filled[o];` +
        `${this.copy("x", "a")}${number}x[a+${hash}]=h;filled[o]=a+${size};}}`,
      "function absorb(b,length){const d=D,t=T,s=S,m=t.length-1;let x=count;for(let from=0;from<length;){" +
        `const to=min(length,from+${BURST * size});let z=0,w=0;` +
        `for(let q=from;q<to;q+=${size}){const h=b[q+${hash}],e=d[h&${RECENT - 1}];` +
        `if(e!==0&&((e^h)&~m)===0){const a=${this.place};if(${this.equal("s", "a")})continue;}H[z]=h;O[z++]=q;}` +
        "for(let y=0;y<z;y++)w|=t[H[y]&m];touched=w;" +
        `for(let y=0;y<z;y++){const q=O[y],h=H[y];${this.walk}` +
        `if(e===0){const a=x*${words};${this.copy("s", "a")}${parents ? `P[x]=b[q+${words}];` : ""}` +
        `x++;e=t[j]=x|h&~m;}d[h&${RECENT - 1}]=e;}from=to;}count=x;}`,
      `function partOf(b,q){${this.hash}${this.copy("one", "0")}one[${hash}]=h;return ${part};}`,
      `function adopt(parent){${parents ? `one[${words}]=parent;` : ""}absorb(one,${size});}`,
      "function lookup(n){const b=B;let k=0,w=0;" +
        `for(let q=0;q<n;q+=${stride},k++){${this.#numbered}${this.hash}H[k]=h;const o=${part},t=TT[o];owners[k]=o;` +
        "w|=t[h&t.length-1];}touched=w;" +
        `for(let i=0,q=0;i<k;i++,q+=${stride}){const h=H[i],o=owners[i],t=TT[o],s=SS[o],m=t.length-1;${this.walk}` +
        "R[i]=e===0?-1:(e&m)-1<<bits|o;}return k;}",
      this.#rehash,
    ];
  }

  /** Declares the hashes of element i of the buffer. */
  get #hashed(): string {
    return this.#fingerprints ? "const h=H[i],g=H2[i];" : "const h=H[i];";
  }

  #unlessRecent(): string {
    return (
      `const e=d[h&${RECENT - 1}];if(e!==0&&((e^h)&~m)===0){const a=${this.place};` +
      `if(${this.#isAt("s", "a")}){${this.#kept ? "R[k]=(e&m)-1;" : ""}continue;}}O[z++]=k;`
    );
  }

  get #touch(): string {
    return "new_=z;const t=T;let w=0;for(let i=0;i<z;i++)w|=t[H[O[i]]&m];touched=w;";
  }

  #putNew(link: string): string {
    return (
      "const d=D,t=T,s=S,b=B,m=t.length-1;let x=count;" +
      `for(let y=0;y<new_;y++){const i=O[y],q=i*${this.stride};${this.#hashed}${this.walk}` +
      `if(e===0){${this.#store}${link}` +
      `x++;e=t[j]=x|h&~m;}${this.#kept ? "R[i]=(e&m)-1;" : ""}d[h&${RECENT - 1}]=e;}count=x;`
    );
  }

  /** Stores the state in b at q as number x. */
  get #store(): string {
    if (!this.#fingerprints) return `const a=x*${this.#words};${this.copy("s", "a")}`;
    return `const a=(x-base)*${this.#words};${this.copy("s", "a")}FP[2*x]=h;FP[2*x+1]=g;`;
  }

  get #rehash(): string {
    if (this.#fingerprints) {
      return (
        "function rehash(){D.fill(0);const t=T,m=t.length-1;" +
        "for(let i=0;i<count;i++){const h=FP[2*i];let j=h&m;while(t[j]!==0)j=(j+1)&m;t[j]=i+1|h&~m;}}"
      );
    }
    return (
      "function rehash(){D.fill(0);const t=T,b=S,m=t.length-1;" +
      `for(let i=0,q=0;i<count;i++,q+=${this.#words}){${this.hash}let j=h&m;while(t[j]!==0)j=(j+1)&m;t[j]=i+1|h&~m;}}`
    );
  }

  get #numbered(): string {
    return this.symmetric ? "G[k]=canon(q)?numbered():-1;" : "";
  }
}

/** Elements of an outbox that one state takes: its words, its parent if that is kept, and its hash. */
export function elementSize(words: number, parents: boolean): number {
  return words + (parents ? 2 : 1);
}

/** What is stored of a state as fingerprint. */
export const FINGERPRINT_BITS = 64;

/** Declares h and g, the fingerprint of the state in b at q. */
export function hashCode(words: number): string {
  return new TableCode({ words, symmetric: false, kept: false, fingerprints: true }).hash;
}

export function tableCode(shape: TableShape, parts: { readonly parents: boolean } | undefined): string[] {
  const code = new TableCode(shape);
  return parts === undefined ? code.whole() : code.parted(parts.parents);
}
