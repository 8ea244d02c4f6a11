// The code under test. What its runners need from outside is passed in.

import { Tasker } from 'tasker'

export interface Operations {
  notify: { data: { to: string }; result: { calls: number } }
}

/** @param send sends a message; a test passes in a function of its own. */
export function openTasks(store: string, send: (to: string) => Promise<void>) {
  const tasker = new Tasker<Operations>(store)
  tasker.on('task.failed', (uuid, error) => console.error(`task ${uuid} failed:`, error))

  tasker.assignRunner('notify', async ({ data, logger }) => {
    for (let calls = 1; ; calls += 1) {
      try {
        await send(data.to)
        return { calls }
      } catch (error) {
        if (calls === 3) throw error
        logger.warning('trying again in a minute', { error })
      }
      await new Promise(resolve => setTimeout(resolve, 60_000))
    }
  })
  return tasker
}
