/* When threads ran that do nothing but look at the time: from, to. Of each thread `most_runs` are kept; then `all_kept` is signalled, if it is something. */
struct run {
  word from, to;
};
static struct run runs[4][64];
static volatile word run_counts[4];
static word most_runs = 64, all_kept;

/* Nobody is away from a loop of a few instructions for so long, but to let others run. */
enum { pause = 400 };

static void spin(word who) {
  word from = now(), last = from;
  for (;;) {
    word time = now();
    if (time - last > pause) {
      if (run_counts[who] < most_runs) runs[who][run_counts[who]++] = (struct run){from, last};
      if (run_counts[who] == most_runs && all_kept) signal(all_kept);
      from = time;
    }
    last = time;
  }
}
