/** What a system of guests is written with. */

export { greeting } from "./guest/greeting.ts"
export {
  consoles,
  type Device,
  diskGrants,
  diskObjects,
  disks,
  guestObjects,
  machineObjects,
  monitorGrants,
  monitorTask,
  network,
  networkGrants,
  networkObjects,
  priorities,
  timer,
  uplink,
  uplinkObjects
} from "./guests.ts"
export type { Guest, Payload, Report } from "./Monitor.ts"
export { startGuests, type Tenant } from "./virtualMachines.ts"
