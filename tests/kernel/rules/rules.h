/* What the programs here share: each checks some of the rules whose sentences rules.test.ts has, and says by number which. */
#include "../programs/root.h"

static void rule(word number) {
  print("- ");
  print_number(number);
  put('\n');
}

static volatile word seen[64];

static word copy_to(word to, word from) {
  return CNode_Copy(slot_cnode, to, root_depth, from, root_depth, all_rights, slot_cnode);
}

static word mint_to(word to, word from, word badge) {
  return CNode_Mint(slot_cnode, to, root_depth, from, root_depth, all_rights, badge, slot_cnode);
}

static word send_and_receive(word to, struct message message, word from, word reply) {
  return system_call(syscall_NBSendRecv, from, message, reply, to).badge;
}

/* A scheduling context with this budget in each period, in microseconds, and room for six refills more than two. */
static word new_context(word budget, word period) {
  word context = make_sized(object_SchedContext, 8);
  ok(SchedControl_ConfigureFlags(boot_info->sched_control_start, budget, period, 0, 0, 0, context));
  return context;
}

/* The thread has this scheduling context: it can be taken from that thread. */
static int has(struct thread *thread, word context) {
  if (SchedContext_UnbindObject(context, thread->tcb) != error_none) return 0;
  ok(SchedContext_Bind(context, thread->tcb));
  return 1;
}
