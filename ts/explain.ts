/**
 * Explanations: what the engine says of a task that waits, with Dates, and in sentences.
 *
 * Proof: `__test__/contract/explaining.test.mjs`.
 */

import type { OperationExplanation, TaskExplanation, WaitReason } from '../index'
import type { Bridge } from './bridge'
import { type DocumentJson, JsonText } from './commands'
import { dateOf, stringify } from './globals'

/** Revives an explanation in place, and says each reason in a sentence. */
export function reviveExplanation(explanation: DocumentJson): TaskExplanation {
  for (const reason of explanation.reasons as DocumentJson[]) {
    for (const key of ['until', 'since', 'nextAt', 'startsAt', 'lastPollAt']) {
      const moment = reason[key]
      if (typeof moment === 'number') reason[key] = dateOf(moment)
      if (Array.isArray(moment)) reason[key] = moment.map(dateOf)
    }
    reason.message = sentence(reason as unknown as WaitReason)
  }
  const executor = explanation.executor as DocumentJson | undefined
  if (executor) executor.until = dateOf(executor.until as number)
  const ended = explanation.ended as DocumentJson | undefined
  if (ended) ended.at = dateOf(ended.at as number)
  const revived = explanation as unknown as TaskExplanation
  Object.defineProperty(revived, 'toString', { value: () => text(revived), enumerable: false })
  return revived
}

/** What holds a task back, in a sentence. */
function sentence(reason: WaitReason): string {
  switch (reason.reason) {
    case 'start-time':
      return `it starts no sooner than ${reason.until.toISOString()}: ${STARTS[reason.cause]}`
    case 'dependency':
      return `it waits for ${tasks(reason.count)} to end: ${named(reason.uuids, reason.count)}`
    case 'condition': {
      const { scope, query, limit, count, uuids, isCapped } = reason
      if (limit < 0) return `a condition with a limit below 0 never holds: ${limit}`
      const most = limit === 0 ? 'no task' : `at most ${tasks(limit)}`
      const [where, are] = scope === 'running' ? ['runs beside', 'run'] : ['starts behind', 'wait']
      const of = `it ${where} ${most} that matches ${stringify(query)}`
      return `${of}, and ${count}${isCapped ? ' and more' : ''} ${are}: ${named(uuids, count)}`
    }
    case 'hold': {
      const { query, until, by } = reason
      const who = by.uuid === undefined ? `process ${by.pid}` : `task ${by.uuid}`
      return `${who} holds what matches ${stringify(query)} until ${until.toISOString()}`
    }
    case 'paused': {
      const what = reason.operation === undefined ? 'it' : `its operation '${reason.operation}'`
      return `${what} is paused${reason.since ? ` since ${reason.since.toISOString()}` : ''}`
    }
    case 'no-runner':
      return `no tasker that is started has a runner for '${reason.operation}'`
    case 'executor': {
      const { what, operation, lastPollAt, until, by } = reason
      if (what === 'begin') {
        const who = by === undefined ? 'an executor' : `executor '${by}'`
        return `${who} has taken it and has until ${until?.toISOString()} to begin`
      }
      const last = lastPollAt === undefined ? '' : `, the last one at ${lastPollAt.toISOString()}`
      return `no executor asks for tasks of '${operation}'${last}`
    }
    case 'limit': {
      const { operation, limit, running, uuids } = reason
      const of = `'${operation}' runs ${running} of ${limit} tasks at once`
      return `${of}: ${named(uuids, running)}`
    }
    case 'rate-limit': {
      const { operation, limit, per, by, key, nextAt, ahead, isCapped } = reason
      const value = key === undefined ? 'nothing' : stringify(key)
      const whose = by === undefined ? '' : ` where ${by} is ${value}`
      const of = `'${operation}' starts ${tasks(limit)} in ${per} ms${whose}`
      const before = ahead > 0 ? `, and ${ahead}${isCapped ? ' and more' : ''} stand ahead` : ''
      return `${of}; the next may at ${nextAt.toISOString()}${before}`
    }
    case 'circuit': {
      const { operation, by, key, state, until, probing, ahead, isCapped } = reason
      const value = key === undefined ? 'nothing' : stringify(key)
      const whose = by === undefined ? '' : ` where ${by} is ${value}`
      const of = `the circuit of '${operation}'${whose} is ${state}`
      const before = ahead > 0 ? `, and ${ahead}${isCapped ? ' and more' : ''} stand ahead` : ''
      if (state === 'open') return `${of} until ${until?.toISOString()}${before}`
      return `${of}: ${tasks(probing)} of ${reason.probes} are being tried${before}`
    }
    case 'batch': {
      const { operation, waiting, max, startsAt } = reason
      const of = `${waiting} of the ${max} tasks wait that '${operation}' takes at once`
      return `${of}; they start at ${startsAt.toISOString()} at the latest`
    }
    case 'place': {
      const of = reason.operation === undefined ? '' : ` of '${reason.operation}' in threads`
      return `this tasker runs ${reason.running} of ${reason.limit} tasks${of} at once`
    }
    case 'order':
      return `${tasks(reason.ahead)}${reason.isCapped ? ' and more' : ''} ahead of it come first`
  }
}

const STARTS = {
  own: 'that is its own start time',
  retry: 'then its next attempt is due',
  snooze: 'its run wanted to go on then',
  postponed: 'it was put off until then',
  hold: 'a hold matched it as it came up',
}

const tasks = (count: number) => (count === 1 ? '1 task' : `${count} tasks`)

/** How many uuids a sentence names. */
const NAMED_MAX = 3

function named(uuids: readonly string[], count: number): string {
  const first = uuids.slice(0, NAMED_MAX)
  return first.join(', ') + (count > first.length ? ', …' : '')
}

/** All of an explanation in sentences. */
function text({ uuid, operation, state, runnable, reasons, ended, isPausing }: TaskExplanation) {
  const of = `task ${uuid} of '${operation}' is ${state}`
  if (ended) {
    const why = ended.cause === undefined ? '' : `, cause ${ended.cause}`
    return `${of}${ended.error === undefined ? why : `${why} (${ended.error})`}`
  }
  if (isPausing) return `${of} and halts at its next checkpoint`
  if (runnable) return `${of}: nothing holds it back`
  return [of, ...reasons.map(({ message }) => message)].join('\n- ')
}

/** The states of waiting tasks that have no place in the queue, and why each waits. */
const WAITS = {
  blocked: 'dependency',
  delayed: 'start-time',
  paused: 'paused',
  claimed: 'executor',
} as const

/** Counts the waiting tasks of an operation by what holds them first. */
export async function explainOperation(
  bridge: Bridge,
  operation: string,
): Promise<OperationExplanation> {
  const bounds = { what: 'explain', signal: undefined, timeoutMs: undefined }
  const count = (more?: { state?: string; isHeld?: true }) => {
    const query = { operation, status: 'new', ...more }
    return bridge.read({ do: 'count', query: new JsonText(stringify(query)) }, bounds)
  }
  const states = Object.keys(WAITS) as (keyof typeof WAITS)[]
  const byState = Promise.all(states.map(state => count({ state })))
  const [ready, waiting, counts, onHold] = await Promise.all([
    bridge.command({ do: 'explainOperation', operation }),
    count(),
    byState,
    count({ state: 'delayed', isHeld: true }),
  ])
  const reasons: OperationExplanation['reasons'] = {}
  const add = (reason: WaitReason['reason'], tasks: number) => {
    if (tasks > 0) reasons[reason] = (reasons[reason] ?? 0) + tasks
  }
  states.forEach((state, at) => {
    const held = state === 'delayed' ? Math.min(onHold, counts[at] as number) : 0
    add('hold', held)
    add(WAITS[state], (counts[at] as number) - held)
  })
  const unqueued = counts.reduce((sum, one) => sum + one, 0)
  const queued = waiting - unqueued
  // Some may have started, or come, between the two answers.
  const held = Math.min(ready.held, queued)
  add('condition', held)
  const rated = Math.min(ready.rated, queued - held)
  add('rate-limit', rated)
  const guarded = Math.min(ready.guarded, queued - held - rated)
  add('circuit', guarded)
  // Of the others nothing but the queue is left to wait for.
  const [first = { reason: 'order' }] = ready.reasons
  add(first.reason as WaitReason['reason'], queued - held - rated - guarded)
  return { operation, waiting, reasons }
}
