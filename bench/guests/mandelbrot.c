/* Points of a square grid from which z = z * z + c has not gone beyond 2 in 64 steps: scalar double arithmetic and comparisons. */
unsigned long mandelbrot(long side) {
  unsigned long inside = 0;
  for (long row = 0; row < side; row++)
    for (long column = 0; column < side; column++) {
      double real = 3.0 * column / side - 2.0, imaginary = 2.0 * row / side - 1.0;
      double x = 0, y = 0;
      int steps = 0;
      while (steps < 64 && x * x + y * y <= 4.0) {
        double next = x * x - y * y + real;
        y = 2.0 * x * y + imaginary;
        x = next;
        steps++;
      }
      inside += steps == 64;
    }
  return inside;
}
