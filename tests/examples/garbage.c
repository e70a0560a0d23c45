/* Makes system calls that make no sense, in the order that its argument decides. None waits for anybody. */
#include "skyscope.h"

static word state;

/* "Xorshift RNGs", George Marsaglia. */
static word random(void) {
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return state;
}

/* Small numbers, powers of two, and all bits. */
static word odd_word(void) {
  word choice = random();
  switch (choice & 3) {
    case 0: return choice >> 2 & 15;
    case 1: return 1ul << (choice >> 2 & 63);
    case 2: return ~0ul << (choice >> 2 & 63);
    default: return random();
  }
}

static const long numbers[] = {syscall_Call, syscall_NBSend, syscall_NBRecv, syscall_NBWait, syscall_ReplyRecv, syscall_NBSendRecv, -99, 5};

void _start(void *ipc_buffer, word argument, word self) {
  state = argument;
  for (int times = 0; times < 1000; times++) {
    struct message message = {
      .label = random() % 80,
      .length = odd_word() & 0xfff,
      .words = {odd_word(), odd_word(), odd_word(), odd_word()}
    };
    /* What the buffer says of capabilities is garbage as well. */
    ((word *)ipc_buffer)[random() & 127] = odd_word();
    word capability = random() & 15;
    if (capability == self) capability = 0;
    system_call(numbers[random() & 7], capability, message, random() & 15);
  }
  suspend(self);
}
