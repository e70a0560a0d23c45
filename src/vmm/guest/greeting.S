// greeting: the guest that runs where no other was named. It says hello, measures what its monitor costs it, and powers off.
//
// It begins at 1 MiB in 32-bit protected mode with flat segments, as any kernel for PVH or Multiboot does, and enters 64-bit mode by itself:
// SDM vol. 3A, "Initializing IA-32e Mode". Built with: gcc -c greeting.S; ld -Ttext=0x100000 --oformat=binary. The bytes are in greeting.ts.

        .intel_syntax noprefix
        .set    COM1, 0x3f8
        .set    PM1_CNT, 0x604
        .set    SLEEP_S5, 0x2000                // SLP_EN, and SLP_TYP of S5
        .set    IA32_APIC_BASE, 0x1b
        .set    IA32_TSC_DEADLINE, 0x6e0
        .set    X2APIC_EOI, 0x80b
        .set    X2APIC_SVR, 0x80f
        .set    X2APIC_LVT_TIMER, 0x832
        .set    IA32_EFER, 0xc0000080
        .set    TIMER_VECTOR, 0x40
        .set    TABLES, 0x10000                 // PML4, PDPT, page directory
        .set    STACK, 0x90000
        .set    IDT, 0x20000

        .text
        .code32
        .globl  _start
_start:
        // The first GiB, one to one, by pages of 2 MiB.
        mov     edi, TABLES
        lea     eax, [edi + 0x1003]
        mov     [edi], eax
        lea     eax, [edi + 0x2003]
        mov     [edi + 0x1000], eax
        add     edi, 0x2000
        mov     eax, 0x83                       // P, RW, PS
        mov     ecx, 512
1:      mov     [edi], eax
        add     eax, 0x200000
        add     edi, 8
        loop    1b

        mov     eax, cr4
        or      eax, 1 << 5                     // PAE
        mov     cr4, eax
        mov     eax, TABLES
        mov     cr3, eax
        mov     ecx, IA32_EFER
        rdmsr
        or      eax, 1 << 8                     // LME
        wrmsr
        mov     eax, cr0
        or      eax, (1 << 31) | (1 << 5)       // PG, NE
        mov     cr0, eax
        lgdt    [gdt_pointer]
        .att_syntax
        ljmp    $8, $in64
        .intel_syntax noprefix

        .code64
in64:   xor     eax, eax
        mov     ss, eax                         // the selectors of who started it are not in this GDT
        mov     esp, STACK
        lea     rsi, [rip + greeting]
        call    print

        mov     eax, 0x40000000
        cpuid
        mov     rdi, offset words
        mov     [rdi], ebx
        mov     [rdi + 4], ecx
        mov     [rdi + 8], edx
        lea     rsi, [rip + monitor]
        call    print
        mov     rsi, rdi
        call    print
        lea     rsi, [rip + line]
        call    print

        // Instructions of its own: two to a turn.
        call    time
        mov     rbx, rax
        mov     ecx, 500000
2:      dec     ecx
        jnz     2b
        call    time
        sub     rax, rbx
        lea     rsi, [rip + computing]
        call    report

        // What leaves the guest, and comes back.
        call    time
        mov     r12, rax
        mov     r13d, 100
3:      xor     eax, eax
        cpuid
        dec     r13d
        jnz     3b
        call    time
        sub     rax, r12
        call    hundredth
        lea     rsi, [rip + leaving]
        call    report

        call    time
        mov     r12, rax
        mov     r13d, 100
4:      xor     eax, eax
        vmcall
        dec     r13d
        jnz     4b
        call    time
        sub     rax, r12
        call    hundredth
        lea     rsi, [rip + calling]
        call    report

        // Ten interrupts of the local APIC's timer, a millisecond apart, waited for with HLT.
        call    interrupts
        mov     r13d, 10
        xor     r14d, r14d                      // the latest
5:      call    time
        add     rax, 1000000
        mov     r12, rax
        mov     rdx, rax
        shr     rdx, 32
        mov     ecx, IA32_TSC_DEADLINE
        wrmsr
6:      sti
        hlt
        cli
        cmp     dword ptr [ticks], 0
        je      6b
        mov     dword ptr [ticks], 0
        call    time
        sub     rax, r12
        cmp     rax, r14
        cmova   r14, rax
        dec     r13d
        jnz     5b
        mov     rax, r14
        lea     rsi, [rip + waiting]
        call    report

        lea     rsi, [rip + farewell]
        call    print
        mov     dx, PM1_CNT
        mov     ax, SLEEP_S5
        out     dx, ax
7:      cli
        hlt
        jmp     7b

// rax: the time-stamp counter, which counts nanoseconds.
time:   rdtsc
        shl     rdx, 32
        or      rax, rdx
        ret

// rax: a hundredth of it.
hundredth:
        xor     edx, edx
        mov     ecx, 100
        div     rcx
        ret

// Prints the text at rsi, then rax, then the unit.
report: push    rax
        call    print
        pop     rax
        call    decimal
        lea     rsi, [rip + unit]
        jmp     print

// Prints the text at rsi, which ends with a 0.
print:  push    rdi
        push    rcx
        mov     rdi, rsi
        xor     eax, eax
        mov     rcx, -1
        repne   scasb
        not     rcx
        dec     rcx
        mov     dx, COM1
        rep     outsb
        pop     rcx
        pop     rdi
        ret

// Prints rax.
decimal:
        lea     rsi, [rip + digits_end]
        mov     ecx, 10
8:      xor     edx, edx
        div     rcx
        add     dl, '0'
        dec     rsi
        mov     [rsi], dl
        test    rax, rax
        jnz     8b
        jmp     print

// No interrupt but one: x2APIC mode, the timer in TSC-deadline mode, and one gate of the IDT.
interrupts:
        mov     al, 0xff                        // what firmware left on of the 8259As
        out     0x21, al
        out     0xa1, al
        mov     ecx, IA32_APIC_BASE
        rdmsr
        or      eax, 3 << 10                    // EXTD, EN
        wrmsr
        xor     edx, edx
        mov     ecx, X2APIC_SVR
        mov     eax, 0x1ff
        wrmsr
        mov     ecx, X2APIC_LVT_TIMER
        mov     eax, (2 << 17) | TIMER_VECTOR
        wrmsr
        mov     edi, IDT + 16 * TIMER_VECTOR
        mov     eax, offset tick
        mov     word ptr [rdi], ax
        mov     word ptr [rdi + 2], 8
        mov     word ptr [rdi + 4], 0x8e00
        shr     eax, 16
        mov     [rdi + 6], ax
        lidt    [idt_pointer]
        ret

tick:   push    rax
        push    rcx
        push    rdx
        inc     dword ptr [ticks]
        xor     eax, eax
        xor     edx, edx
        mov     ecx, X2APIC_EOI
        wrmsr
        pop     rdx
        pop     rcx
        pop     rax
        iretq

        .balign 8
gdt:    .quad   0, 0x00af9b000000ffff           // 64-bit code
gdt_pointer:
        .word   15
        .quad   gdt
idt_pointer:
        .word   0xfff
        .quad   IDT

greeting:  .asciz "Hello from a guest of Skyscope: 64-bit mode, its own page tables.\r\n"
monitor:   .asciz "The monitor that it runs under is "
line:      .asciz "\r\n"
computing: .asciz "A million instructions of its own take  "
leaving:   .asciz "CPUID, which leaves the guest, takes    "
calling:   .asciz "VMCALL, a question to the monitor, takes "
waiting:   .asciz "A timer's interrupt comes late by at most "
unit:      .asciz " ns\r\n"
farewell:  .asciz "It powers off.\r\n"
ticks:     .long 0
words:     .space 16
digits:    .space 20
digits_end: .byte 0
