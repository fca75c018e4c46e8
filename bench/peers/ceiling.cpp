/*
 * The ceiling: what a search of the loop protocol of ../loop-system.ts costs if it is written by hand for this one
 * protocol. A state is one 64-bit word, the search is depth-first, there is no trace and nothing can be asked.
 *
 *   g++ -O3 -march=native -DN=openers -DM=ioctls -DR=rounds ceiling.cpp; ./a.out LOG2_OF_SLOTS
 */
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <vector>

using Word = std::uint64_t;

constexpr int kTries = 4;

/* Fields of the word, lowest first: per opener pc (4 bits) and round (2); per ioctl pc (3), tried (3), round (2);
 * then bd and lo (3 bits each, 0 = free, else the thread plus 1) and refcnt (3). */
constexpr int openerAt(int t) { return 6 * t; }
constexpr int ioctlAt(int t) { return 6 * N + 8 * t; }
constexpr int kBd = 6 * N + 8 * M;
constexpr int kLo = kBd + 3;
constexpr int kCount = kLo + 3;
static_assert(kCount + 3 <= 63 && R <= 3 && N + M <= 7, "the state does not fit its fields");

constexpr Word one(int at) { return Word{1} << at; }
constexpr unsigned field(Word s, int at, int bits) { return (s >> at) & ((1u << bits) - 1); }

class Seen {
  Word *slots_;
  Word mask_;

 public:
  Word count = 0;

  explicit Seen(int log2) : slots_(static_cast<Word *>(std::calloc(one(log2), sizeof(Word)))), mask_(one(log2) - 1) {
    if (slots_ == nullptr) std::abort();
  }

  /* True if the state is new. A slot holds the state plus 1, so that 0 is an empty slot. */
  bool add(Word s) {
    Word h = (s ^ (s >> 29)) * 0x9e3779b97f4a7c15u;
    h = (h ^ (h >> 32)) * 0xd1b54a32d192ed03u;
    for (Word i = (h >> 20) & mask_;; i = (i + 1) & mask_) {
      if (slots_[i] == 0) {
        slots_[i] = s + 1;
        if (++count > mask_ - mask_ / 8) std::abort();
        return true;
      }
      if (slots_[i] == s + 1) return false;
    }
  }
};

static void claim(bool holds) {
  if (!holds) std::abort();
}

template <typename Visit>
static inline void successors(Word s, Visit visit) {
  const unsigned bd = field(s, kBd, 3), lo = field(s, kLo, 3);
  for (unsigned t = 0; t < N; t++) {
    const int at = openerAt(t);
    const unsigned pc = field(s, at, 4);
    const Word me = t + 1, next = s + one(at);
    switch (pc) {
      case 0:
        if (field(s, at + 4, 2) < R && bd == 0) visit(next + one(at + 4) + (me << kBd));
        break;
      case 5:
        if (bd == 0) visit(next + (me << kBd));
        break;
      case 1:
      case 6:
        if (lo == 0) visit(next + (me << kLo));
        break;
      case 2:
      case 7:
        claim(bd == me && lo == me);
        visit(pc == 2 ? next + one(kCount) : next - one(kCount));
        break;
      case 3:
      case 8:
        claim(lo == me);
        visit(next - (me << kLo));
        break;
      case 4:
        claim(bd == me);
        visit(next - (me << kBd));
        break;
      case 9:
        claim(bd == me);
        visit(s - 9 * one(at) - (me << kBd));
        break;
    }
  }
  for (unsigned t = 0; t < M; t++) {
    const int at = ioctlAt(t);
    const unsigned pc = field(s, at, 3), tried = field(s, at + 3, 3);
    const Word me = N + t + 1, mine = me << kLo;
    /* Back to the start, with lo given back and the tries forgotten. */
    const Word done = s - pc * one(at) - tried * one(at + 3) - mine;
    switch (pc) {
      case 0:
        if (field(s, at + 6, 2) < R && lo == 0) visit(s + one(at) + one(at + 6) + mine);
        break;
      case 1:
        if (tried == kTries) {
          claim(lo == me);
          visit(done);
        } else {
          visit(bd == 0 ? s + one(at) + (me << kBd) : s + 3 * one(at));
        }
        break;
      case 2:
        claim(bd == me && lo == me);
        visit(s + one(at));
        break;
      case 3:
        claim(bd == me);
        visit(s + 4 * one(at) - (me << kBd));
        break;
      case 4:
        claim(lo == me);
        visit(s + one(at) - mine);
        break;
      case 5:
        visit(s + one(at));
        break;
      case 6:
        if (lo == 0) visit(s - 5 * one(at) + one(at + 3) + mine);
        break;
      case 7:
        claim(lo == me);
        visit(done);
        break;
    }
  }
}

int main(int argc, char **argv) {
  if (argc != 2) return 2;
  Seen seen(std::atoi(argv[1]));
  std::vector<Word> stack;
  Word transitions = 0;
  seen.add(0);
  stack.push_back(0);
  while (!stack.empty()) {
    const Word s = stack.back();
    stack.pop_back();
    successors(s, [&](Word next) {
      transitions++;
      if (seen.add(next)) stack.push_back(next);
    });
  }
  std::printf("%llu states, %llu transitions\n", (unsigned long long)seen.count, (unsigned long long)transitions);
}
