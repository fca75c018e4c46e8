/*
 * The dining philosophers of ../loop-system.ts in Promela: N left-handed ones; with -DASYMMETRIC the last one is
 * right-handed, as in ../endless-systems.ts.
 */
#define LEFT _pid
#define RIGHT ((_pid + 1) % N)

bit fork[N];
byte eating;

inline first(f) { d_step { fork[f] == 0 -> fork[f] = 1 } }
inline second(f) { d_step { fork[f] == 0 -> fork[f] = 1; eating++ } }
inline put(f) { d_step { fork[f] = 0 } }
inline stop(f) { d_step { fork[f] = 0; eating-- } }

#ifdef ASYMMETRIC
#define LEFT_HANDED (N - 1)
active proctype right_handed() { /* _pid is 0: his left fork is 0, his right one 1 */
end: do :: first(RIGHT); second(LEFT); stop(LEFT); put(RIGHT) od
}
#else
#define LEFT_HANDED N
#endif

active [LEFT_HANDED] proctype left_handed() {
end: do :: first(LEFT); second(RIGHT); stop(RIGHT); put(LEFT) od
}

#ifdef PROGRESS
ltl p { [] <> (eating > 0) }
#endif
