/* The sieve of Eratosthenes over bytes: stores with a stride, then a pass of loads. */

typedef unsigned long long u64;

/* The primes below `limit`, times `rounds`. `composite` has room for `limit` bytes. */
u64 sieve(unsigned char *composite, u64 limit, u64 rounds) {
  u64 primes = 0;
  for (u64 round = 0; round < rounds; round++) {
    for (u64 n = 0; n < limit; n++) composite[n] = 0;
    for (u64 n = 2; n * n < limit; n++)
      if (!composite[n])
        for (u64 multiple = n * n; multiple < limit; multiple += n) composite[multiple] = 1;
    for (u64 n = 2; n < limit; n++) primes += !composite[n];
  }
  return primes;
}
