// What the lives of the storm were told, and whether the store agrees at the end.

import assert from 'node:assert/strict'
import { isDeepStrictEqual } from 'node:util'

const endings = ['done', 'failed', 'aborted']

/** What the task of a number is called; two of three have no such names. */
export function labelsOf(n) {
  return n % 3 > 0 ? {} : { id: { n }, label: `no. ${n}`, tags: ['storm', `${n % 10}`] }
}

/** How often the task of a number is tried; one of four says nothing, and is tried once. */
export function retryOf(n) {
  if (n % 4 === 0) return undefined
  return {
    attempts: 1 + (n % 4),
    backoff: { type: 'exponential', delay: 1 + (n % 9), jitter: 0.5 },
  }
}

/** How long the task of a number may wait for its first start, in milliseconds; most for ever. */
export function queueTimeoutOf(n) {
  return n % 7 === 3 ? 5 + (n % 60) : undefined
}

/** Whether a task that its queueTimeout has ended never ran, and had waited so long. */
function hasExpired({ data, attempts, createdAt, endedAt }) {
  const waitedMs = Date.parse(endedAt) - Date.parse(createdAt)
  return attempts.length === 0 && waitedMs >= (queueTimeoutOf(data.n) ?? Infinity)
}

/** Whether a task, or a run of it, is called so. */
function isCalled({ id, label, tags = [] }, n) {
  return isDeepStrictEqual(
    { tags: [], ...labelsOf(n) },
    JSON.parse(JSON.stringify({ id, label, tags })),
  )
}

/** What was told, over all lives. */
export class Ledger {
  tried = new Set()
  acked = new Map()
  aborted = new Set()
  /** The task of each unique key. */
  unique = new Map()
  ended = new Map()
  images = new Map()
  violations = []

  /** Takes down what one life wrote; a line that the kill cut off was not told. */
  read(output) {
    for (const line of output.slice(0, output.lastIndexOf('\n') + 1).split('\n')) {
      if (line) this.#take(JSON.parse(line))
    }
  }

  #take([kind, a, b]) {
    if (kind === 'try') this.tried.add(a)
    if (kind === 'ack') this.acked.set(b, a)
    if (kind === 'abort') this.aborted.add(a)
    if (kind === 'unique') {
      this.#hold((this.unique.get(b) ?? a) === a, 'a unique key made two tasks (I-2)', a)
      this.unique.set(b, a)
    }
    if (kind === 'end') this.ended.set(a, b)
    if (kind === 'image') this.#image(a, b)
    this.#hold(kind !== 'ran', 'ran although its operation is paused', a)
  }

  /** An ended task never changes (I-3). */
  #image(uuid, image) {
    const first = this.images.get(uuid)
    if (!first) this.images.set(uuid, image)
    else this.#hold(isDeepStrictEqual(first, image), 'an ended task changed', uuid)
  }

  #hold(truth, fault, uuid) {
    if (!truth) this.violations.push(`${fault}: ${uuid}`)
  }

  /** Compares with the tasks in the store and with what the runners noted. */
  check(tasks, runs) {
    const stored = new Map(tasks.map(task => [task.uuid, task]))
    const told = [...this.acked.keys(), ...this.unique.values()]
    const lost = told.filter(uuid => !stored.has(uuid))
    for (const uuid of lost) this.#hold(false, 'acknowledged and lost (I-1)', uuid)
    const doubled = this.#checkTasks(tasks) + this.#checkRuns(stored, runs)
    return { lost: lost.length, doubled }
  }

  #checkTasks(tasks) {
    const seen = new Set()
    let doubled = 0
    for (const task of JSON.parse(JSON.stringify(tasks))) {
      const { uuid, data, status } = task
      if (seen.has(data.n)) doubled++
      seen.add(data.n)
      this.#hold(this.tried.has(data.n), 'stored but never added (I-2)', uuid)
      this.#hold(endings.includes(status), 'not ended (I-12)', uuid)
      this.#hold(isCalled(task, data.n), 'is not called as it was added (I-1)', uuid)
      const failures = task.attempts.filter(({ cause }) => cause === 'error').length
      const max = retryOf(data.n)?.attempts ?? 1
      const isTried = failures <= max && (task.cause !== 'error' || failures === max)
      this.#hold(isTried, 'has not failed as often as its retry says (I-10)', uuid)
      const isInTime = task.cause !== 'queue-timeout' || hasExpired(task)
      this.#hold(isInTime, 'its queueTimeout has ended it too early', uuid)
      const told = this.ended.get(uuid) ?? status
      this.#hold(told === status, `told as ${told}, stored as ${status} (I-1, I-3)`, uuid)
      // Only a run that returns all the same may end otherwise.
      const hasReturned = status === 'done' && task.attempt > 0
      const isAborted = !this.aborted.has(uuid) || status === 'aborted' || hasReturned
      this.#hold(isAborted, 'its abort was acknowledged and lost (I-1)', uuid)
      if (this.images.has(uuid)) this.#image(uuid, task)
    }
    const keys = tasks.flatMap(({ unique }) => unique?.key ?? [])
    this.#hold(new Set(keys).size === keys.length, 'a unique key has two tasks (I-2)', keys)
    this.#hold(doubled === 0, 'tasks stored twice (I-2)', doubled)
    return doubled
  }

  /** Each run was counted before its code ran, under an id of its own (I-4, I-10). */
  #checkRuns(stored, runs) {
    const seen = new Set()
    let doubled = 0
    for (const run of runs) {
      const { uuid, runId, attempt } = run
      for (const key of [runId, `${uuid} ${attempt}`]) {
        if (seen.has(key)) doubled++
        seen.add(key)
      }
      const task = stored.get(uuid)
      this.#hold(!task || isCalled(run, task.data.n), 'a run is not called as its task (I-1)', uuid)
      const known = task?.attempts?.some(each => each.runId === runId)
      this.#hold(known, 'ran without being counted (I-10)', uuid)
    }
    this.#hold(doubled === 0, 'runs noted twice (I-4)', doubled)
    return doubled
  }
}

/** A life that is not killed while it starts has done so much before: less proves nothing. */
export function assertWork(ledger, kills, again) {
  assert.ok(ledger.acked.size >= kills * 10, 'the storm added too little to prove anything')
  assert.ok(ledger.ended.size >= kills * 5, 'the storm ran too little to prove anything')
  assert.ok(again > 0, 'the storm hit no live run')
}
