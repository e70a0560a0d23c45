/**
 * Whether types keep what they promise: programs by chance are judged by the compiler, and then done on the kernel, all of them.
 *
 *     node scripts/soundness.ts [tasks|plans] [PROGRAMS] [SEED]
 *
 * None that compiles may be refused what the types promise. Of those that do not compile it is counted how many the kernel would have
 * done: what the types forbid beyond what is impossible.
 */
import * as plans from "./soundness/runPlans.ts"
import * as rootTasks from "./soundness/runRootTasks.ts"

const [what = "tasks", wanted = "2000", seed = "1"] = process.argv.slice(2)
const campaigns: Readonly<Record<string, (wanted: number, seed: number) => Promise<boolean>>> = {
  tasks: rootTasks.campaign,
  plans: plans.campaign
}
const campaign = campaigns[what]
if (campaign === undefined) {
  console.error(`there is no campaign '${what}': there are ${Object.keys(campaigns).join(", ")}`)
  process.exitCode = 2
} else process.exitCode = (await campaign(Number(wanted), Number(seed))) ? 0 : 1
