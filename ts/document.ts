/**
 * Task documents: what lies in the store, with Dates again.
 *
 * The engine writes dates as milliseconds and infinite priorities as text, for JSON has neither.
 * Only the engine's own fields are touched; `data` and `result` stay as they were stored.
 */

import type { Task, TaskLog } from '../index'
import { dateOf } from './globals'

type Loose = Record<string, unknown>

/** Revives one document in place. */
export function revive(document: Loose): Task {
  dates(document, 'createdAt', 'runAt', 'scheduledAt', 'startedAt', 'endedAt')
  if (typeof document.priority === 'string') document.priority = Number(document.priority)
  if (document.queueTimeout !== undefined) reviveQueueTimeout(document)
  for (const attempt of list(document.attempts)) dates(attempt, 'startedAt', 'endedAt')
  reviveLogs(list(document.logs))
  return document as unknown as Task
}

/** Revives a list of documents in place. */
export function reviveAll(documents: Loose[]): Task[] {
  for (const document of documents) revive(document)
  return documents as unknown as Task[]
}

/** Revives log lines in place. */
export function reviveLogs(lines: Loose[]): TaskLog[] {
  for (const line of lines) dates(line, 'at')
  return lines as unknown as TaskLog[]
}

/** Revives the priority to which a `queueTimeout` moves a task. */
export function reviveQueueTimeout({ queueTimeout }: Loose): void {
  const then = (queueTimeout as Loose | undefined)?.then as Loose | undefined
  if (typeof then?.priority === 'string') then.priority = Number(then.priority)
}

const list = (value: unknown) => (value ?? []) as Loose[]

function dates(target: Loose, ...keys: string[]) {
  for (const key of keys) {
    const ms = target[key]
    if (typeof ms === 'number') target[key] = dateOf(ms)
  }
}
