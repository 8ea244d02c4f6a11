// How a runner is typed that takes several tasks at once. Each `@ts-expect-error` is a mistake that
// must not compile. Compiled by `tsc -p tsconfig.json`, never run.

import { type BatchContext, type BatchRunner, type Runner, Tasker } from '../../index'
import { is } from './equal'

interface Operations {
  insert: { data: { row: number }; result: { id: number } }
  ping: { result: undefined }
}

const tasker = new Tasker<Operations>('tasks.db')
const batch = { max: 100, wait: '50ms' } as const

// An array of contexts exactly where `batch` is.
tasker.assignRunner(
  'insert',
  contexts => {
    return contexts.map(({ data, operation }) => {
      is<{ row: number }>()(data, true)
      is<'insert'>()(operation, true)
      return data.row < 0 ? new Error('no row') : { id: data.row }
    })
  },
  { batch, concurrency: 3 },
)
// @ts-expect-error without `batch` it is one context
tasker.assignRunner('insert', async ([first]) => ({ id: first.data.row }))
tasker.assignRunner('insert', ({ data }) => ({ id: data.row }), { concurrency: 3 })

// One that settles all need not return.
tasker.assignRunner(
  'insert',
  async contexts => {
    for (const { settle, data } of contexts) {
      is<boolean>()(settle({ id: data.row }), true)
      settle(new Error('no row'))
      // @ts-expect-error the result is wrong
      settle('row')
      // @ts-expect-error a result is missing
      settle()
    }
  },
  { batch },
)
tasker.assignRunner('ping', contexts => contexts.map(() => undefined), { batch })
tasker.assignRunner('ping', ([first]) => void first?.settle(), { batch })

// @ts-expect-error a result is no list
tasker.assignRunner('insert', () => ({ id: 1 }), { batch })
// @ts-expect-error the results are wrong
tasker.assignRunner('insert', contexts => contexts.map(() => 'row'), { batch })
// @ts-expect-error without `max`
tasker.assignRunner('insert', contexts => contexts.map(() => ({ id: 1 })), { batch: {} })
// @ts-expect-error it belongs to a runner
tasker.defineOperation('insert', { batch })

// Of its own, and without a registry.
const many: BatchRunner<Operations, 'insert'> = contexts => contexts.map(() => ({ id: 1 }))
tasker.assignRunner('insert', many, { batch })
// @ts-expect-error it takes many
tasker.assignRunner('insert', many)
const one: Runner<Operations, 'insert'> = () => ({ id: 1 })
// @ts-expect-error it takes one
tasker.assignRunner('insert', one, { batch })
const loose = new Tasker('tasks.db')
loose.assignRunner('any', contexts => contexts.map(({ data }) => data.anything), { batch })
const settled = ({ settle }: BatchContext) => settle(7)
loose.assignRunner('any', contexts => contexts.map(settled), { batch })
