// What `explainTask` and `explain` give.
// Compiled by `tsc -p tsconfig.json` and by `__test__/package/types.test.mjs`, never run.

import {
  type OperationExplanation,
  type TaskExplanation,
  Tasker,
  type TaskUuid,
  type WaitReason,
} from '../../index'
import type { Equal } from './equal'

interface Operations {
  read: { data: { book: string }; result: { words: number } }
  write: { data: { book: string } }
}

const tasker = new Tasker<Operations>()
declare const uuid: TaskUuid<'read'>

/** Each reason has the facts of its own, and there are no others. */
export function facts(reason: WaitReason<'read'>): unknown {
  const sentence: string = reason.message
  switch (reason.reason) {
    case 'start-time':
      return [reason.until.getTime(), reason.cause satisfies 'own' | string]
    case 'dependency':
      return [reason.count * 2, reason.uuids.join()]
    case 'condition':
      return [reason.query, reason.count - reason.limit, reason.since[0]?.getTime(), reason.scope]
    case 'hold':
      return [reason.id * 2, reason.query, reason.since < reason.until, reason.by.uuid?.length]
    case 'paused':
      return [reason.what, reason.operation satisfies 'read' | undefined, reason.since?.getTime()]
    case 'no-runner':
      return reason.operation satisfies 'read'
    case 'executor':
      return [reason.what, reason.until?.getTime(), reason.lastPollAt?.getTime(), reason.by?.length]
    case 'limit':
      return [reason.limit - reason.running, reason.uuids.length]
    case 'rate-limit':
      return [reason.limit / reason.per, reason.burst, reason.by?.length, reason.nextAt.getTime()]
    case 'circuit':
      return [reason.state satisfies 'open' | 'half-open', reason.until?.getTime(), reason.probing]
    case 'batch':
      return [
        reason.max - reason.waiting,
        reason.operation satisfies 'read',
        reason.startsAt.getTime(),
      ]
    case 'place':
      // @ts-expect-error a place is no task's
      return reason.uuids
    case 'order':
      return [reason.ahead + 1, reason.isCapped satisfies boolean]
    default:
      return [reason satisfies never, sentence]
  }
}

export async function explained(): Promise<string> {
  const known = await tasker.explainTask(uuid)
  const isKnown: Equal<typeof known, TaskExplanation<Operations, 'read'>> = true
  const loose: TaskExplanation<Operations> = await tasker.explainTask('text')
  const words: WaitReason['reason'][] = loose.reasons.map(({ reason }) => reason)
  const ended: [Date | undefined, string | undefined] = [known.ended?.at, known.ended?.error]
  const counts: OperationExplanation<'read'> = await tasker.explain({ operation: 'read' })
  const limited: number | undefined = counts.reasons.limit
  // @ts-expect-error there is no such reason
  const other = counts.reasons.luck
  // @ts-expect-error there is no such operation
  await tasker.explain({ operation: 'sing' })
  // @ts-expect-error it is of one operation
  await tasker.explain({})
  return `${known} ${isKnown} ${words} ${ended} ${limited} ${other}`
}
