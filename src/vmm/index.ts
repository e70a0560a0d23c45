/** What a system of guests is written with. */

export { greeting } from "./guest/greeting.ts"
export {
  consoles,
  diskGrants,
  diskObjects,
  disks,
  type Equipment,
  guestObjects,
  machineObjects,
  monitorGrants,
  monitorTask,
  network,
  networkGrants,
  networkObjects,
  priorities,
  processorGrants,
  processorObjects,
  timer,
  uplink,
  uplinkObjects
} from "./guests.ts"
export type { Guest, Payload, Report } from "./Monitor.ts"
export { startGuests, type Tenant } from "./virtualMachines.ts"
