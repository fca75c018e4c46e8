/*
 * The loop protocol of ../loop-system.ts and ../endless-systems.ts in Promela. N openers and M ioctls, R rounds each;
 * with -DENDLESS no rounds and no limit of tries. Every d_step is one step there; a thread is its _pid plus 1.
 */
#define ME (_pid + 1)
#define TRIES 4
#define FIRST_IOCTL N

byte bd, lo, refcnt;

inline lock(m) { d_step { m == 0 -> m = ME } }
inline unlock(m) { d_step { assert(m == ME); m = 0 } }
inline count(d) { d_step { assert(bd == ME && lo == ME); refcnt = refcnt + d } }

active [N] proctype opener() {
#ifndef ENDLESS
  byte round;
#endif
end:
  do
#ifdef ENDLESS
  :: lock(bd);
#else
  :: d_step { round < R && bd == 0 -> bd = ME; round++ };
#endif
     lock(lo); count(1); unlock(lo); unlock(bd);
     lock(bd); lock(lo); count(-1); unlock(lo); unlock(bd)
  od
}

active [M] proctype ioctl() {
#ifndef ENDLESS
  byte round, tried;
#endif
end:
  do
#ifdef ENDLESS
  :: lock(lo);
     do
     :: d_step { bd == 0 -> bd = ME };
        d_step { assert(bd == ME && lo == ME) };
        unlock(bd); unlock(lo);
        break
     :: d_step { bd != 0 -> skip };
        unlock(lo);
        d_step { skip };
        lock(lo)
     od
#else
  :: d_step { round < R && lo == 0 -> lo = ME; round++ };
     do
     :: d_step { tried < TRIES && bd == 0 -> bd = ME };
        d_step { assert(bd == ME && lo == ME) };
        unlock(bd);
        d_step { assert(lo == ME); lo = 0; tried = 0 };
        break
     :: d_step { tried < TRIES && bd != 0 -> skip };
        unlock(lo);
        d_step { skip };
        d_step { lo == 0 -> lo = ME; tried++ }
     :: d_step { tried == TRIES -> assert(lo == ME); lo = 0; tried = 0 };
        break
     od
#endif
  od
}

#ifdef RELEASED
ltl p { [] <> (lo == 0) }
#endif
#ifdef FINISHES
ltl p { <> (ioctl[FIRST_IOCTL]:round == R && ioctl[FIRST_IOCTL]@end) }
#endif
