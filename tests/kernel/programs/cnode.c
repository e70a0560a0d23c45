/* CNodes: capabilities copied, moved, deleted and revoked; where they are found. */
#include "root.h"

/* The words of an answer that says where a lookup ended. */
static void check_lookup(int line, word call, word was_source, word kind, word bits_left) {
  check_equal(line, "the call", call, error_FailedLookup);
  check_equal(line, "whether it was the source", answer(0), was_source);
  check_equal(line, "what failed", answer(1), kind);
  if (kind != failure_invalid_root) check_equal(line, "the bits left", answer(2), bits_left);
}
#define check_lookup(...) check_lookup(__LINE__, __VA_ARGS__)

static word copy_to(word to, word from, word rights) {
  return CNode_Copy(slot_cnode, to, root_depth, from, root_depth, rights, slot_cnode);
}

static word mint_to(word to, word from, word rights, word data) {
  return CNode_Mint(slot_cnode, to, root_depth, from, root_depth, rights, data, slot_cnode);
}

static word move(word to, word from) {
  return CNode_Move(slot_cnode, to, root_depth, from, root_depth, slot_cnode);
}

static word mutate(word to, word from, word data) {
  return CNode_Mutate(slot_cnode, to, root_depth, from, root_depth, data, slot_cnode);
}

static word rotate(word to, word pivot, word from) {
  return CNode_Rotate(slot_cnode, to, root_depth, 0, pivot, root_depth, 0, from, root_depth, slot_cnode, slot_cnode);
}

static void check_copies(void) {
  word endpoint = make(object_Endpoint), other = make(object_Notification), free = empty_slot(), nothing = empty_slot();
  it("copies a capability into an empty slot, and only there");
  ok(copy_to(free, endpoint, all_rights));
  check_is(kind_in(free), kind_Endpoint);
  check_is(copy_to(other, endpoint, all_rights), error_DeleteFirst);

  it("copies nothing from an empty slot");
  check_lookup(copy_to(nothing, nothing + 1, all_rights), 1, failure_missing_capability, root_depth);
  check_lookup(move(nothing, nothing + 1), 1, failure_missing_capability, root_depth);
  check_lookup(mutate(nothing, nothing + 1, 0), 1, failure_missing_capability, root_depth);

  it("badges a capability once: one with a badge cannot have another");
  word badged = empty_slot(), again = empty_slot();
  ok(mint_to(badged, endpoint, all_rights, 5));
  check_is(mint_to(again, badged, all_rights, 6), error_IllegalOperation);
  check_is(mint_to(again, badged, all_rights, 0), error_IllegalOperation);
  check_is(kind_in(again), 0);
  ok(copy_to(again, badged, all_rights));
  ok(delete(again));

  it("does not badge by moving");
  check_is(mutate(again, endpoint, 7), error_IllegalOperation);

  it("moves a capability");
  ok(move(again, badged));
  check_is(kind_in(badged), 0);
  check_is(kind_in(again), kind_Endpoint);
  check_is(move(other, again), error_DeleteFirst);

  it("deletes what is in a slot, which may be nothing");
  ok(delete(again));
  ok(delete(again));
  check_is(kind_in(again), 0);
}

static void check_rotation(void) {
  word a = make(object_TCB), b = make(object_Page4K), c = empty_slot(), d = empty_slot();
  it("rotates: the pivot's capability goes to the destination, the source's to the pivot");
  ok(rotate(c, b, a));
  check_is(kind_in(a), 0);
  check_is(kind_in(b), kind_TCB);
  check_is(kind_in(c), kind_Frame);
  it("swaps two capabilities, when the source is the destination");
  ok(rotate(b, c, b));
  check_is(kind_in(b), kind_Frame);
  check_is(kind_in(c), kind_TCB);
  it("rotates nothing that would lose its badge");
  word endpoint = make(object_Endpoint);
  check_is(rotate(a, b, endpoint), error_IllegalOperation);
  it("rotates only what is there, into a slot where nothing is");
  check_is(rotate(b, b, c), error_IllegalOperation);
  check_is(rotate(a, b, b), error_IllegalOperation);
  check_is(rotate(slot_tcb, b, c), error_DeleteFirst);
  check_lookup(rotate(a, b, d), 1, failure_missing_capability, root_depth);
  check_lookup(rotate(a, d, b), 0, failure_missing_capability, root_depth);
}

static void check_revocation(void) {
  it("revokes the badged copies of an endpoint, and what was copied of those");
  word endpoint = make(object_Endpoint), badged = mint(endpoint, all_rights, 1), copy_of_badged = copy(badged, all_rights), plain = copy(endpoint, all_rights);
  ok(revoke(badged));
  check_is(kind_in(badged), kind_Endpoint);
  ok(revoke(endpoint));
  check_is(kind_in(endpoint), kind_Endpoint);
  check_is(kind_in(badged), 0);
  check_is(kind_in(copy_of_badged), 0);
  check_is(kind_in(plain), 0);

  it("revokes nothing of what was copied from a copy");
  word copied = copy(endpoint, all_rights), grandchild = copy(copied, all_rights);
  ok(revoke(copied));
  check_is(kind_in(grandchild), kind_Endpoint);
  ok(revoke(endpoint));
  check_is(kind_in(grandchild), 0);

  it("revokes what was derived from a copy made for that, and nothing beside it");
  word parent = copy(endpoint, all_rights | 1ul << 63), child = copy(parent, all_rights), sibling = copy(endpoint, all_rights);
  ok(revoke(parent));
  check_is(kind_in(child), 0);
  check_is(kind_in(parent), kind_Endpoint);
  check_is(kind_in(sibling), kind_Endpoint);

  it("revokes all objects made in untyped memory, with untyped memory made there");
  word untyped = make_sized(object_Untyped, 16), inner = empty_slot(), object = empty_slot(), inside = empty_slot();
  ok(retype(untyped, object_Untyped, 14, inner));
  ok(retype(untyped, object_TCB, 0, object));
  ok(retype(inner, object_Notification, 0, inside));
  check_is(copy_to(empty_slot(), inner, all_rights), error_RevokeFirst);
  ok(revoke(untyped));
  check_is(kind_in(inner), 0);
  check_is(kind_in(object), 0);
  check_is(kind_in(inside), 0);
}

/* A CNode of 2^4 slots that takes a guard of 8 bits, A5H, before the 4 bits of its index. */
enum { radix = 4, guard_bits = 8, guard = 0xa5, inner_depth = guard_bits + radix };
static word guarded(word index) {
  return guard << radix | index;
}

static void check_lookups(void) {
  word bare = make_sized(object_CapTable, radix), cnode = empty_slot(), endpoint = make(object_Endpoint);
  ok(mint_to(cnode, bare, all_rights, guard << 6 | guard_bits));
  it("finds a slot of a CNode by its guard and its index");
  ok(CNode_Copy(cnode, guarded(3), inner_depth, endpoint, root_depth, all_rights, slot_cnode));
  ok(CNode_Copy(slot_cnode, next_slot, root_depth, guarded(3), inner_depth, all_rights, cnode));
  check_is(kind_in(empty_slot()), kind_Endpoint);

  it("is told why it finds none");
  check_lookup(CNode_Delete(cnode, 0xa4 << radix, inner_depth), 0, failure_guard_mismatch, inner_depth);
  check_is(answer(3), guard);
  check_is(answer(4), guard_bits);
  check_lookup(CNode_Delete(cnode, guarded(3) << 2, inner_depth + 2), 0, failure_depth_mismatch, 2);
  check_is(answer(3), 0);
  check_lookup(CNode_Delete(cnode, guard << 2, inner_depth - 2), 0, failure_depth_mismatch, inner_depth - 2);
  check_is(answer(3), inner_depth);
  check_is(CNode_Delete(cnode, guarded(3), 0), error_RangeError);
  check_is(answer(0), 1);
  check_is(answer(1), 64);
  check_is(CNode_Delete(cnode, guarded(3), 65), error_RangeError);
  check_lookup(CNode_Copy(slot_cnode, empty_slot(), root_depth, 0, 64, all_rights, endpoint), 1, failure_invalid_root, 0);
  check_lookup(CNode_Copy(cnode, guarded(5), inner_depth, 0xa4 << radix, inner_depth, all_rights, cnode), 1, failure_guard_mismatch, inner_depth);

  it("looks further in a CNode that is in a CNode");
  word deep = make_sized(object_CapTable, 2);
  ok(CNode_Mint(cnode, guarded(7), inner_depth, deep, root_depth, all_rights, 0, slot_cnode));
  ok(CNode_Copy(cnode, guarded(7) << 2 | 1, inner_depth + 2, endpoint, root_depth, all_rights, slot_cnode));
  ok(CNode_Delete(deep, 1, 2));
  check_lookup(CNode_Delete(cnode, guarded(8) << 2 | 1, inner_depth + 2), 0, failure_depth_mismatch, 2);

  it("gives a CNode's capability another guard when it is moved, and keeps it with data of 0");
  word moved = empty_slot();
  ok(mutate(moved, cnode, 0x3 << 6 | 2));
  ok(CNode_Copy(slot_cnode, empty_slot(), root_depth, 3 << radix | 3, 2 + radix, all_rights, moved));
  it("refuses a guard with more bits than an address has");
  check_is(mint_to(empty_slot(), bare, all_rights, 61), error_IllegalOperation);

  it("deletes a CNode that holds a capability to itself");
  word self = make_sized(object_CapTable, radix);
  ok(CNode_Copy(self, 2, radix, self, root_depth, all_rights, slot_cnode));
  ok(CNode_Copy(self, 3, radix, endpoint, root_depth, all_rights, slot_cnode));
  ok(delete(self));
  check_is(kind_in(self), 0);

  it("deletes two CNodes that hold each other, with the untyped memory that they are in");
  word untyped = make_sized(object_Untyped, 13), a = empty_slot(), b = empty_slot();
  ok(retype(untyped, object_CapTable, radix, a));
  ok(retype(untyped, object_CapTable, radix, b));
  ok(CNode_Copy(a, 0, radix, b, root_depth, all_rights, slot_cnode));
  ok(CNode_Copy(b, 0, radix, a, root_depth, all_rights, slot_cnode));
  ok(delete(a));
  ok(delete(b));
  ok(revoke(untyped));
  ok(retype(untyped, object_Untyped, 13, empty_slot()));
}

static void check_rights(void) {
  it("takes rights away that other kernels do not know, by bits 4 and up of the rights word");
  word cnode = make_sized(object_CapTable, radix), no_put = copy(cnode, all_rights | right_CNode_put), endpoint = make(object_Endpoint);
  check_is(CNode_Copy(no_put, 1, radix, endpoint, root_depth, all_rights, slot_cnode), error_IllegalOperation);
  ok(CNode_Copy(cnode, 1, radix, endpoint, root_depth, all_rights, slot_cnode));
  ok(CNode_Delete(no_put, 1, radix));
  it("cannot get a right back");
  word again = copy(no_put, all_rights);
  check_is(CNode_Copy(again, 1, radix, endpoint, root_depth, all_rights, slot_cnode), error_IllegalOperation);
}

static void check_messages(void) {
  it("is told that a message is too short, and that there is no such method");
  word words[4] = {empty_slot(), root_depth, slot_tcb, root_depth};
  for (word n = 0; n < 4; n++) my_buffer->words[n] = words[n];
  check_is(invoke(slot_cnode, label_CNode_Copy, 0, 5), error_TruncatedMessage);
  for (word n = 0; n < 4; n++) my_buffer->words[n] = words[n];
  my_buffer->caps_or_badges[0] = slot_cnode;
  check_is(invoke(slot_cnode, label_CNode_Copy, 1, 4), error_TruncatedMessage);
  check_is(invoke(slot_cnode, label_TCB_Suspend, 0, 5), error_IllegalOperation);
  check_is(invoke(slot_null, label_CNode_Copy, 0, 5), error_InvalidCapability);
  check_is(answer(0), 0);
}

static void run_checks(void) {
  check_copies();
  check_rotation();
  check_revocation();
  check_lookups();
  check_rights();
  check_messages();
}
