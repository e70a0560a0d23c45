/*
 * Runs single instructions on the real processor: cases from standard input, what became of them to standard output.
 *
 * Each case sets all registers by returning from a signal handler, and ends in the next signal: INT3 after the
 * instruction, or the exception it raises. The stack pointer may be anything: handlers have a stack of their own.
 */
#define _GNU_SOURCE
#include <asm/prctl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <ucontext.h>
#include <unistd.h>

#define PAGE 4096
#define CODE ((uint8_t *)0x10010000)
#define START (CODE + PAGE / 2)
/* Two pages that can be written, one that can be read, and one that is not there. */
#define DATA ((uint8_t *)0x10000000)
#define WRITABLE (2 * PAGE)
#define READABLE (3 * PAGE)

/* Registers in the order of their numbers. */
static const int order[16] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
                              REG_R8,  REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15};

struct header {
  uint64_t gs_base;
  uint8_t data[READABLE];
};
struct test {
  uint8_t code[16];
  uint64_t registers[16];
  uint64_t rflags;
  uint64_t mxcsr;
  uint8_t vectors[16][16];
  /* The upper halves of YMM registers. */
  uint8_t uppers[16][16];
  /* The part of the FXSAVE image that is about the x87 FPU; MXCSR is not in it. */
  uint8_t x87[160];
};
struct outcome {
  uint64_t registers[16];
  uint64_t rflags, rip, vector, error, cr2, mxcsr;
  uint8_t vectors[16][16];
  uint8_t uppers[16][16];
  uint8_t x87[160];
  /* So many runs of changed bytes follow: offset, length (16 bits each), bytes. */
  uint64_t runs;
};

static struct header header;
static int running;
static uint16_t selectors[6];
/* CS and SS of this program: a case may leave others. */
static greg_t segments;

/* Where the frame of a signal has the upper halves of YMM registers, if the operating system keeps them. SDM vol. 1, "Extended Region of an XSAVE Area". */
#define XSTATE_BV 512
#define UPPERS 576
static uint8_t *uppers(struct _libc_fpstate *fp) {
  uint8_t *bytes = (uint8_t *)fp;
  uint32_t magic;
  uint64_t features;
  memcpy(&magic, bytes + 464, 4);
  memcpy(&features, bytes + 472, 8);
  return magic == 0x46505853 && (features & 4) ? bytes + UPPERS : NULL;
}

static void read_all(void *into, size_t size) {
  if (fread(into, 1, size, stdin) != size) exit(2);
}

static void finish(const ucontext_t *context) {
  const greg_t *from = context->uc_mcontext.gregs;
  struct outcome outcome = {0};
  for (int i = 0; i < 16; i++) outcome.registers[i] = from[order[i]];
  outcome.rflags = from[REG_EFL];
  outcome.rip = from[REG_RIP];
  outcome.vector = from[REG_TRAPNO];
  outcome.error = from[REG_ERR];
  outcome.cr2 = from[REG_CR2];
  outcome.mxcsr = context->uc_mcontext.fpregs->mxcsr;
  memcpy(outcome.x87, context->uc_mcontext.fpregs, sizeof outcome.x87);
  memcpy(outcome.vectors, context->uc_mcontext.fpregs->_xmm, sizeof outcome.vectors);
  const uint8_t *above = uppers(context->uc_mcontext.fpregs);
  if (above) memcpy(outcome.uppers, above, sizeof outcome.uppers);
  size_t used = 0;
  static uint8_t runs[WRITABLE * 3];
  for (size_t i = 0; i < WRITABLE; i++) {
    if (DATA[i] == header.data[i]) continue;
    size_t end = i;
    while (end < WRITABLE && DATA[end] != header.data[end]) end++;
    uint16_t place[2] = {i, end - i};
    memcpy(runs + used, place, 4);
    memcpy(runs + used + 4, DATA + i, end - i);
    used += 4 + end - i;
    outcome.runs++;
    i = end;
  }
  fwrite(&outcome, sizeof outcome, 1, stdout);
  fwrite(runs, 1, used, stdout);
}

static void next(ucontext_t *context) {
  struct test test;
  if (fread(&test, 1, sizeof test, stdin) != sizeof test) {
    fflush(stdout);
    _exit(0);
  }
  memcpy(DATA, header.data, WRITABLE);
  memset(CODE, 0xcc, PAGE);
  memcpy(START, test.code, sizeof test.code);
  greg_t *to = context->uc_mcontext.gregs;
  for (int i = 0; i < 16; i++) to[order[i]] = test.registers[i];
  to[REG_EFL] = test.rflags;
  to[REG_RIP] = (greg_t)START;
  struct _libc_fpstate *fp = context->uc_mcontext.fpregs;
  memcpy(fp, test.x87, sizeof test.x87);
  fp->mxcsr = test.mxcsr;
  fp->mxcr_mask = 0xffff;
  memcpy(fp->_xmm, test.vectors, sizeof test.vectors);
  uint8_t *above = uppers(fp);
  if (above) memcpy(above, test.uppers, sizeof test.uppers);
  /* XSTATE_BV: x87 FPU and vector registers are not as they are after reset. */
  *(uint64_t *)((uint8_t *)fp + XSTATE_BV) |= above ? 7 : 3;
}

static void on_signal(int signal, siginfo_t *info, void *context) {
  /* A case may leave RFLAGS.AC, NT and ID set, which the next would inherit, and segments that C does not expect. */
  __asm__ volatile("subq $128, %%rsp; pushfq; andq $~0x244000, (%%rsp); popfq; addq $128, %%rsp" ::: "cc", "memory");
  __asm__ volatile("mov %0, %%es; mov %1, %%ds" ::"r"(selectors[0]), "r"(selectors[3]));
  (void)signal;
  (void)info;
  greg_t *current = &((ucontext_t *)context)->uc_mcontext.gregs[REG_CSGSFS];
  if (running) finish(context);
  else segments = *current;
  running = 1;
  *current = segments;
  next(context);
}

/* A case that does not end: by the time that it takes, not by the clock of a busy machine. */
static void on_timer(int signal) {
  (void)signal;
  _exit(3);
}

static void *map(void *at, size_t size, int protection) {
  void *place = mmap(at, size, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
  if (place != at) exit(4);
  return place;
}

int main(void) {
  read_all(&header, sizeof header);
  map(CODE, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC);
  map(DATA, READABLE, PROT_READ | PROT_WRITE);
  memcpy(DATA, header.data, READABLE);
  mprotect(DATA + WRITABLE, READABLE - WRITABLE, PROT_READ);
  syscall(SYS_arch_prctl, ARCH_SET_GS, header.gs_base);

  stack_t stack = {.ss_sp = malloc(1 << 18), .ss_size = 1 << 18};
  sigaltstack(&stack, NULL);
  struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};
  static const int signals[] = {SIGTRAP, SIGSEGV, SIGBUS, SIGILL, SIGFPE};
  for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) sigaction(signals[i], &action, NULL);
  struct sigaction timer_action = {.sa_handler = on_timer, .sa_flags = SA_ONSTACK};
  sigaction(SIGPROF, &timer_action, NULL);
  const struct itimerval limit = {.it_value = {.tv_sec = 60}};
  setitimer(ITIMER_PROF, &limit, NULL);

  __asm__("mov %%es, %0" : "=r"(selectors[0]));
  __asm__("mov %%cs, %0" : "=r"(selectors[1]));
  __asm__("mov %%ss, %0" : "=r"(selectors[2]));
  __asm__("mov %%ds, %0" : "=r"(selectors[3]));
  __asm__("mov %%fs, %0" : "=r"(selectors[4]));
  __asm__("mov %%gs, %0" : "=r"(selectors[5]));
  fwrite(selectors, sizeof selectors, 1, stdout);
  raise(SIGTRAP);
  return 1;
}
