// The code under test. What its runners need from outside is passed in.

import type { Tasker } from 'tasker'

export interface Operations {
  notify: { data: { to: string[] }; result: { attempt: number } }
}

/** @param send sends a message; a test passes in a function of its own. */
export function assignRunners(tasker: Tasker<Operations>, send: (to: string) => Promise<void>) {
  tasker.on('task.failed', (uuid, error) => console.error(`task ${uuid} failed:`, error))

  tasker.assignRunner('notify', async ({ data, attempt, logger }) => {
    for (const [i, to] of data.to.entries()) {
      if (i > 0) {
        logger.info('the next one in a minute')
        await new Promise(resolve => setTimeout(resolve, 60_000))
      }
      await send(to)
    }
    return { attempt }
  })
}

/** Sends a message to each of them, a minute apart; if that fails, again after 1, 2, 4 … hours. */
export const notify = (tasker: Tasker<Operations>, to: string[]) =>
  tasker.addTask({
    operation: 'notify',
    data: { to },
    retry: { attempts: 5, backoff: { type: 'exponential', delay: '1h' } },
  })
