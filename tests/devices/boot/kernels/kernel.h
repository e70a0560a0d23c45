/* What every kernel here has: a debug console at port E9H, and a way to end at port F4H. */
typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;

static inline void outb(u16 port, u8 value) { __asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port)); }

static void print(const char *text) { while (*text) outb(0xe9, *text++); }

static void hex(u64 value) {
  char digits[17];
  int n = 16;
  digits[n] = 0;
  do digits[--n] = "0123456789ABCDEF"[value & 15]; while (value >>= 4);
  print(digits + n);
}

static void line(const char *name, u64 value) { print(name); print(" "); hex(value); print("\n"); }

static void quote(const char *name, const char *text) { print(name); print(" '"); print(text); print("'\n"); }

static void bytes(const u8 *from, u32 length) { while (length--) outb(0xe9, *from++); print("\n"); }

static void leave(u8 status) { outb(0xf4, status); for (;;) __asm__ volatile("cli; hlt"); }

/* Zero, and too large to be in the file. */
static volatile u8 nothing[7000];

static void check_bss(void) { for (u32 n = 0; n < sizeof nothing; n++) if (nothing[n]) { print("bss is not zero\n"); leave(9); } }

/* CR0 and the flags as the kernel finds them; a stack; EAX and EBX as arguments. */
#define ENTRY                                                                                                          \
  __asm__(".globl _start\n_start: mov $stack + 8192, %esp\npushf\npushl (%esp)\nmov %cr0, %ecx\npush %ecx\npush %ebx\npush %eax\n" \
          "call start\n.comm stack, 8192, 16\n")
