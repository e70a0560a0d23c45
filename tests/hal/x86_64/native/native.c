/*
 * Runs single instructions on the real processor. Rounds of cases lie in a file, what became of them goes to another; both are used again and
 * again. A word comes from one pipe, how many bytes of cases there are, and two go to the other: 0 and how many bytes of outcomes, or what went
 * wrong, which ends the program. It ends as well when no more can come.
 *
 * Each case loads all registers and goes to its instruction. After one that goes on to the next there is a jump back, which costs little; all
 * others end in a signal: that of an INT3, which stands wherever they can go, or of the exception that they raise. The stack pointer may be
 * anything: handlers have a stack of their own.
 */
#define _GNU_SOURCE
#include <asm/prctl.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <ucontext.h>
#include <unistd.h>

#define PAGE 4096
#define CODE ((uint8_t *)0x10010000)
#define MIDDLE (PAGE / 2)
/* Two pages that can be written, one that can be read, and one that is not there. */
#define DATA ((uint8_t *)0x10000000)
#define WRITABLE (2 * PAGE)
#define READABLE (3 * PAGE)
/* Memory is compared and restored by so many bytes. */
#define PIECE 256

/* Registers in the order of their numbers. */
static const int order[16] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
                              REG_R8,  REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15};

struct header {
  uint64_t cases;
  uint64_t gs_base;
  uint8_t data[READABLE];
};
struct test {
  uint8_t code[16];
  /* Of an instruction that goes on to the next or raises an exception; 0 of all others. */
  uint64_t length;
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
  /* So many runs of changed bytes follow: offset, length (16 bits each), bytes; the last ends with a word. */
  uint64_t runs;
};

/* An XSAVE area: SDM vol. 1, "Legacy Region of an XSAVE Area", "XSAVE Header" and "Extended Region of an XSAVE Area". */
struct area {
  uint8_t x87[24];
  uint32_t mxcsr, mxcsr_mask;
  uint8_t registers[128];
  uint8_t vectors[16][16];
  uint8_t other[96];
  uint64_t xstate_bv;
  uint8_t header[56];
  uint8_t uppers[16][16];
} __attribute__((aligned(64)));

/* What `go` loads, and what it stores. */
struct state {
  uint64_t registers[16];
  uint64_t rflags;
};
__attribute__((used)) static struct state before, after;
__attribute__((used)) static struct area area;
/* The stack of `go`, and where the instruction is. */
__attribute__((used)) static uint64_t stack_pointer;
__attribute__((used)) static uint8_t *const start = CODE + MIDDLE;
/* ES, CS, SS, DS, FS, GS of this program: a case may leave others. */
__attribute__((used)) static uint16_t selectors[6];

static struct header header;
static struct outcome outcome;

/* Runs one case: 0 if it came back by itself, 1 if by a signal, of which `outcome` tells. */
int go(void);
void came_back(void);
void came_by_signal(void);
__asm__(
    ".text\n"
    "go:\n"
    "  push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15\n"
    "  mov %rsp, stack_pointer(%rip)\n"
    "  mov $7, %eax; xor %edx, %edx; xrstor64 area(%rip)\n"
    "  pushq before+128(%rip); popfq\n"
    "  mov before(%rip), %rax; mov before+8(%rip), %rcx; mov before+16(%rip), %rdx; mov before+24(%rip), %rbx\n"
    "  mov before+32(%rip), %rsp; mov before+40(%rip), %rbp; mov before+48(%rip), %rsi; mov before+56(%rip), %rdi\n"
    "  mov before+64(%rip), %r8; mov before+72(%rip), %r9; mov before+80(%rip), %r10; mov before+88(%rip), %r11\n"
    "  mov before+96(%rip), %r12; mov before+104(%rip), %r13; mov before+112(%rip), %r14; mov before+120(%rip), %r15\n"
    "  jmp *start(%rip)\n"
    "came_back:\n"
    "  mov %rax, after(%rip); mov %rcx, after+8(%rip); mov %rdx, after+16(%rip); mov %rbx, after+24(%rip)\n"
    "  mov %rsp, after+32(%rip); mov %rbp, after+40(%rip); mov %rsi, after+48(%rip); mov %rdi, after+56(%rip)\n"
    "  mov %r8, after+64(%rip); mov %r9, after+72(%rip); mov %r10, after+80(%rip); mov %r11, after+88(%rip)\n"
    "  mov %r12, after+96(%rip); mov %r13, after+104(%rip); mov %r14, after+112(%rip); mov %r15, after+120(%rip)\n"
    "  mov stack_pointer(%rip), %rsp\n"
    "  pushfq; popq after+128(%rip)\n"
    "  pushq $0x202; popfq\n"
    "  mov selectors(%rip), %es; mov selectors+6(%rip), %ds\n"
    "  mov $7, %eax; xor %edx, %edx; xsave64 area(%rip)\n"
    "  xor %eax, %eax; jmp 1f\n"
    "came_by_signal:\n"
    "  mov stack_pointer(%rip), %rsp\n"
    "  mov $1, %eax\n"
    "1: pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx\n"
    "  ret\n");

static void copy_x87(const uint8_t *from_area) {
  memcpy(outcome.x87, from_area, 24);
  memcpy(outcome.x87 + 32, from_area + 32, 128);
}

/* Where the frame of a signal has the upper halves of YMM registers, if the operating system keeps them. */
#define UPPERS 576
static const uint8_t *uppers(const struct _libc_fpstate *fp) {
  const uint8_t *bytes = (const uint8_t *)fp;
  uint32_t magic;
  uint64_t features;
  memcpy(&magic, bytes + 464, 4);
  memcpy(&features, bytes + 472, 8);
  return magic == 0x46505853 && (features & 4) ? bytes + UPPERS : NULL;
}

static void on_signal(int signal, siginfo_t *info, void *context) {
  /* A case may leave RFLAGS.AC, NT and ID set, which this program would inherit, and segments that C does not expect. */
  __asm__ volatile("subq $128, %%rsp; pushfq; andq $~0x244000, (%%rsp); popfq; addq $128, %%rsp" ::: "cc", "memory");
  __asm__ volatile("mov %0, %%es; mov %1, %%ds" ::"r"(selectors[0]), "r"(selectors[3]));
  (void)signal;
  (void)info;
  const ucontext_t *at = context;
  const greg_t *from = at->uc_mcontext.gregs;
  const struct _libc_fpstate *fp = at->uc_mcontext.fpregs;
  for (int i = 0; i < 16; i++) outcome.registers[i] = from[order[i]];
  outcome.rflags = from[REG_EFL];
  outcome.rip = from[REG_RIP];
  outcome.vector = from[REG_TRAPNO];
  outcome.error = from[REG_ERR];
  outcome.cr2 = from[REG_CR2];
  outcome.mxcsr = fp->mxcsr;
  copy_x87((const uint8_t *)fp);
  memcpy(outcome.vectors, fp->_xmm, sizeof outcome.vectors);
  const uint8_t *above = uppers(fp);
  if (above) memcpy(outcome.uppers, above, sizeof outcome.uppers);
  else memset(outcome.uppers, 0, sizeof outcome.uppers);
  /* Not to where it happened. Nothing else is to be undone: no signal is blocked, and the other stack is left. */
  __asm__ volatile("jmp came_by_signal");
}

static void take_state(uint64_t length) {
  memcpy(outcome.registers, after.registers, sizeof after.registers);
  outcome.rflags = after.rflags;
  /* As if by an INT3 there. */
  outcome.rip = (uint64_t)start + length + 1;
  outcome.vector = 3;
  outcome.error = outcome.cr2 = 0;
  outcome.mxcsr = area.mxcsr;
  copy_x87((const uint8_t *)&area);
  memcpy(outcome.vectors, area.vectors, sizeof outcome.vectors);
  memcpy(outcome.uppers, area.uppers, sizeof outcome.uppers);
}

static void put_state(const struct test *test) {
  memcpy(before.registers, test->registers, sizeof before.registers);
  before.rflags = test->rflags;
  memcpy(area.x87, test->x87, 24);
  area.mxcsr = test->mxcsr;
  area.mxcsr_mask = 0xffff;
  memcpy(area.registers, test->x87 + 32, 128);
  memcpy(area.vectors, test->vectors, sizeof area.vectors);
  memcpy(area.uppers, test->uppers, sizeof area.uppers);
  area.xstate_bv = 7;
  memset(area.header, 0, sizeof area.header);
}

/* INT3 everywhere, but for the instruction and what brings it back. */
static void put_code(const struct test *test) {
  static uint8_t wanted[PAGE];
  static int is_new = 1;
  if (is_new) memset(wanted, 0xcc, PAGE);
  is_new = 0;
  uint8_t *at = wanted + MIDDLE;
  memset(at, 0xcc, 32);
  memcpy(at, test->code, sizeof test->code);
  if (test->length != 0) {
    /* JMP to the address that follows. */
    static const uint8_t jump[6] = {0xff, 0x25};
    void *const to = (void *)came_back;
    memcpy(at + test->length, jump, sizeof jump);
    memcpy(at + test->length + sizeof jump, &to, sizeof to);
  }
  if (memcmp(CODE, wanted, PAGE) != 0) memcpy(CODE, wanted, PAGE);
}

/* What has changed is put into `runs`, and restored. */
static size_t take_memory(uint8_t *runs) {
  size_t used = 0;
  outcome.runs = 0;
  for (size_t piece = 0; piece < WRITABLE; piece += PIECE) {
    if (memcmp(DATA + piece, header.data + piece, PIECE) == 0) continue;
    for (size_t i = piece; i < piece + PIECE; i++) {
      if (DATA[i] == header.data[i]) continue;
      size_t end = i;
      while (end < piece + PIECE && DATA[end] != header.data[end]) end++;
      uint16_t place[2] = {i, end - i};
      memcpy(runs + used, place, 4);
      memcpy(runs + used + 4, DATA + i, end - i);
      used += 4 + end - i;
      outcome.runs++;
      i = end;
    }
    memcpy(DATA + piece, header.data + piece, PIECE);
  }
  while (used % 8 != 0) runs[used++] = 0;
  return used;
}

/* The pipes and the files. */
static int asks, answers, cases_file, outcomes_file;

static void answer(uint64_t ending, uint64_t bytes) {
  const uint64_t words[2] = {ending, bytes};
  if (write(answers, words, sizeof words) != sizeof words || ending != 0) _exit(ending);
}

/* What can go wrong: native.ts has the sentences. */
enum { CASES_END = 2, CASE_DOES_NOT_END, ADDRESSES_TAKEN, NO_AVX, NO_ROOM };

/* A case that does not end: by the time that it takes, not by the clock of a busy machine. */
static void on_timer(int signal) {
  (void)signal;
  answer(CASE_DOES_NOT_END, 0);
}
static void set_timer(void) {
  const struct itimerval limit = {.it_value = {.tv_sec = 60}};
  setitimer(ITIMER_PROF, &limit, NULL);
}

static void *map(void *at, size_t size, int protection) {
  void *place = mmap(at, size, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
  if (place != at) answer(ADDRESSES_TAKEN, 0);
  return place;
}

/* The cases of one request, all of them. */
static const uint8_t *read_cases(size_t bytes) {
  static uint8_t *cases;
  static size_t room;
  if (room < bytes) {
    free(cases);
    cases = malloc(bytes);
    room = bytes;
  }
  if (cases == NULL) answer(NO_ROOM, 0);
  for (size_t done = 0; done < bytes;) {
    const ssize_t more = pread(cases_file, cases + done, bytes - done, done);
    if (more <= 0) answer(CASES_END, 0);
    done += more;
  }
  return cases;
}

/* Outcomes, and how many bytes of them are in the file. */
static uint8_t gathered[1 << 20];
static size_t gathering, written;

static void flush_outcomes(void) {
  for (size_t done = 0; done < gathering;) {
    const ssize_t more = pwrite(outcomes_file, gathered + done, gathering - done, written);
    if (more <= 0) answer(NO_ROOM, 0);
    done += more;
    written += more;
  }
  gathering = 0;
}
static void put(const void *bytes, size_t size) {
  if (gathering + size > sizeof gathered) flush_outcomes();
  memcpy(gathered + gathering, bytes, size);
  gathering += size;
}

static void run_round(const struct test *tests) {
  static uint8_t runs[WRITABLE * 3];
  mprotect(DATA + WRITABLE, READABLE - WRITABLE, PROT_READ | PROT_WRITE);
  memcpy(DATA, header.data, READABLE);
  mprotect(DATA + WRITABLE, READABLE - WRITABLE, PROT_READ);
  syscall(SYS_arch_prctl, ARCH_SET_GS, header.gs_base);
  for (uint64_t n = 0; n < header.cases; n++) {
    put_code(&tests[n]);
    put_state(&tests[n]);
    if (go() == 0) take_state(tests[n].length);
    const size_t used = take_memory(runs);
    put(&outcome, sizeof outcome);
    put(runs, used);
  }
}

int main(int count, char **words) {
  if (count != 5) return 1;
  /* The pipes last: when they are open, all is. */
  cases_file = open(words[3], O_RDONLY);
  outcomes_file = open(words[4], O_WRONLY);
  asks = open(words[1], O_RDONLY);
  answers = open(words[2], O_WRONLY);
  if (asks < 0 || answers < 0 || cases_file < 0 || outcomes_file < 0) return 1;
  if (!__builtin_cpu_supports("avx")) answer(NO_AVX, 0);
  map(CODE, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC);
  map(DATA, READABLE, PROT_READ | PROT_WRITE);

  stack_t stack = {.ss_sp = malloc(1 << 18), .ss_size = 1 << 18};
  sigaltstack(&stack, NULL);
  struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};
  static const int signals[] = {SIGTRAP, SIGSEGV, SIGBUS, SIGILL, SIGFPE};
  for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) sigaction(signals[i], &action, NULL);
  struct sigaction timer_action = {.sa_handler = on_timer, .sa_flags = SA_ONSTACK};
  sigaction(SIGPROF, &timer_action, NULL);

  /* Of six, and two that are none. */
  uint16_t told[8] = {0};
  __asm__("mov %%es, %0" : "=r"(selectors[0]));
  __asm__("mov %%cs, %0" : "=r"(selectors[1]));
  __asm__("mov %%ss, %0" : "=r"(selectors[2]));
  __asm__("mov %%ds, %0" : "=r"(selectors[3]));
  __asm__("mov %%fs, %0" : "=r"(selectors[4]));
  __asm__("mov %%gs, %0" : "=r"(selectors[5]));
  memcpy(told, selectors, sizeof selectors);

  for (uint64_t bytes; read(asks, &bytes, sizeof bytes) == sizeof bytes;) {
    set_timer();
    const uint8_t *from = read_cases(bytes), *const end = from + bytes;
    written = 0;
    put(told, sizeof told);
    while (from < end) {
      if ((size_t)(end - from) < sizeof header) answer(CASES_END, 0);
      memcpy(&header, from, sizeof header);
      from += sizeof header;
      if ((size_t)(end - from) / sizeof(struct test) < header.cases) answer(CASES_END, 0);
      run_round((const struct test *)from);
      from += header.cases * sizeof(struct test);
    }
    flush_outcomes();
    answer(0, written);
  }
  return 0;
}
