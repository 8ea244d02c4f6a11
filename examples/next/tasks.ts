// The operations of this application and the tasker that runs them.
//
// Nothing here opens the file at import: `next build` imports every route.

import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Tasker } from 'tasker'

export interface Operations {
  thumbnails: { data: { image: string; widths: number[] }; result: { files: string[] } }
}

// Next.js bundles instrumentation and routes apart, and in development loads them again after each
// change: `globalThis` is what they share.
const shared = globalThis as typeof globalThis & { tasker?: Tasker<Operations> }

/** The tasker of this process. Routes add and read with it. */
export function tasks() {
  shared.tasker ??= new Tasker<Operations>({ store: join(process.cwd(), 'tasks.db') })
  return shared.tasker
}

/** Attaches the runners; for `instrumentation.ts`. */
export async function startTasks() {
  const tasker = tasks()
  tasker.assignRunner('thumbnails', async ({ data, abortSignal, progress }) => {
    const files: string[] = []
    for (const width of data.widths) {
      await sleep(20, undefined, { signal: abortSignal }) // Your own work goes here.
      files.push(`${data.image}-${width}.webp`)
      progress(files.length, data.widths.length, 'files')
    }
    return { files }
  })
  tasker.on('task.failed', (uuid, error) => console.error(`task ${uuid} failed:`, error))
  await tasker.start()

  // Next.js leaves the signals to us if NEXT_MANUAL_SIG_HANDLE is set, as in package.json.
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.once(signal, async () => {
      await tasker.close({ timeout: '10s' })
      process.exit()
    })
  }
}
