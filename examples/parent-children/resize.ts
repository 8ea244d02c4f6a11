import { setTimeout as sleep } from 'node:timers/promises'

/** Stands for your own work: it takes a moment, and stops early if the task is aborted. */
export async function resize(image: string, signal: AbortSignal) {
  await sleep(20, undefined, { signal })
  return `${image}.webp`
}
