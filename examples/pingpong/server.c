/* Answers at the endpoint in slot 1, through the reply object in slot 2: twice the number that it was asked for. */
#include "skyscope.h"

enum { endpoint = 1, reply = 2 };

void _start(void) {
  struct message request = receive(endpoint, reply);
  for (;;) {
    struct message answer = {.label = not_understood};
    if (request.label == arithmetic_double && request.length == 1)
      answer = (struct message){.label = replied, .length = 1, .words = {2 * request.words[0]}};
    request = reply_receive(endpoint, reply, answer);
  }
}
