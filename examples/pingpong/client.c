/* Asks at the endpoint in slot 1 for a number to be doubled again and again, and reports what came of it. */
#include "skyscope.h"

enum { endpoint = 1 };

static word ask(word operation, word number) {
  struct message request = {.label = operation, .length = 1, .words = {number}};
  return call(endpoint, request).words[0];
}

void _start(void *ipc_buffer, word argument, word self) {
  (void)ipc_buffer, (void)argument;
  word number = 1;
  for (int times = 0; times < 30; times++) number = ask(arithmetic_double, number);
  ask(arithmetic_report, number);
  suspend(self);
}
