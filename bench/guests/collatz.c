/* The Collatz sequence of every number below a limit: arithmetic and branches that are hard to foresee, no memory. */

typedef unsigned long long u64;

/* Steps of all numbers below `limit` together, mixed with the highest number met. */
u64 collatz(u64 limit) {
  u64 steps = 0, highest = 0;
  for (u64 start = 1; start < limit; start++) {
    u64 n = start;
    while (n != 1) {
      n = n & 1 ? 3 * n + 1 : n >> 1;
      if (n > highest) highest = n;
      steps++;
    }
  }
  return steps * 31 + highest;
}
