// What `tasker/concurrency` promises of types.

import {
  Concurrency,
  type ConcurrencyOptions,
  decode,
  encode,
  encoded,
  type Invocation,
  Priority,
  ReturnWhen,
  type TaskResult,
  TaskStatus,
} from '../../concurrency'
import { Tasker } from '../../index'
import { is } from './equal'

interface Operations {
  other: { data: number }
}

export async function typed(): Promise<void> {
  const tasker = new Tasker<Operations>()
  const options: ConcurrencyOptions = {
    workers: 2,
    invoke: async (invocation, { abortSignal, checkpoint }) => {
      is<Invocation>()(invocation, true)
      is<Uint8Array>()(invocation.args, true)
      is<AbortSignal>()(abortSignal, true)
      await checkpoint()
      return encoded(encode({ a: 1 }))
    },
  }
  const module = new Concurrency(tasker, options)
  const taskIds = await module.schedule({
    tasks: [
      { uri: 'wrap://a', method: 'b', args: {}, priority: 'LOW' },
      { uri: 'wrap://a', method: 'b', args: encode(1), priority: Priority.HIGH, dependsOn: null },
      // @ts-expect-error no such priority
      { uri: 'wrap://a', method: 'b', args: {}, priority: 'URGENT' },
      // @ts-expect-error arguments are MessagePack or an object
      { uri: 'wrap://a', method: 'b', args: 'text' },
      // @ts-expect-error a method is missing
      { uri: 'wrap://a', args: {} },
    ],
  })
  is<number[]>()(taskIds, true)
  const first = await module.result({ taskIds, returnWhen: 'FIRST_COMPLETED' })
  is<TaskResult[]>()(first, true)
  is<Uint8Array | null | undefined>()(first.at(0)?.result, true)
  await module.result({ taskIds, returnWhen: ReturnWhen.ANY_COMPLETED })
  // @ts-expect-error no such word
  await module.result({ taskIds, returnWhen: 'LATER' })
  is<TaskStatus[]>()(await module.status({ taskIds }), true)
  is<3>()(TaskStatus.COMPLETED, true)
  is<boolean[]>()(await module.abort({ taskIds }), true)
  is<Uint8Array>()(await module.invoke('status', encode({ taskIds })), true)
  is<unknown>()(decode(encode(1)), true)
}
