/**
 * HPET: a counter of 64 bits and three timers that compare with it.
 *
 * IA-PC HPET (High Precision Event Timers) Specification 1.0a, "Register Model"; widths and routes are those of the 82801 I/O
 * Controller Hubs. The counter is a function of the time. 64-bit registers are accessed in halves.
 */
import { hpetClock } from "./oscillator.ts"
import { get, mask, RegisterFile, ro, rw, rw1c, type Table, wo } from "./registers.ts"
import type { Message, Target, Timers } from "./Wires.ts"

const timerCount = 3

/** A tick is 10 ns: 10,000,000 femtoseconds. */
const period = 10_000_000

/** IOAPIC pins that a timer can be routed to: 20 to 23. */
const routes = 0x00f0_0000

const timer = (n: number) =>
  ({
    [`T${n}_CONFIG`]: {
      offset: 0x100 + 0x20 * n,
      reset: (1 << 15) | (1 << 5) | (1 << 4),
      fields: {
        FSB_INT_DEL_CAP: ro(15),
        FSB_EN_CNF: rw(14),
        INT_ROUTE_CNF: rw(13, 9),
        "32MODE_CNF": rw(8),
        VAL_SET_CNF: wo(6),
        SIZE_CAP: ro(5),
        PER_INT_CAP: ro(4),
        TYPE_CNF: rw(3), // 1 periodic
        INT_ENB_CNF: rw(2),
        INT_TYPE_CNF: rw(1) // 1 level
      }
    },
    [`T${n}_ROUTES`]: { offset: 0x104 + 0x20 * n, reset: routes, fields: { INT_ROUTE_CAP: ro(31, 0) } },
    [`T${n}_FSB_VALUE`]: { offset: 0x110 + 0x20 * n, fields: { VALUE: rw(31, 0) } },
    [`T${n}_FSB_ADDRESS`]: { offset: 0x114 + 0x20 * n, fields: { ADDRESS: rw(31, 0) } }
  }) as const satisfies Table
