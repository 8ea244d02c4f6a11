/**
 * The arguments of the concurrency interface, as plain values.
 *
 * Proof: `__test__/contract/concurrency-interface.test.mjs`.
 */

import type { WrapTask } from '../concurrency'
import { invalid, spell } from './errors'
import { bytesOf, encode } from './msgpack'
import { only } from './options'

/** What has become of a task, by its position in the interface. */
export const TaskStatus = {
  PENDING: 0,
  RUNNING: 1,
  SUSPENDED: 2,
  COMPLETED: 3,
  CANCELLED: 4,
  FAILED: 5,
} as const

/** When `result` answers. */
export const ReturnWhen = { FIRST_COMPLETED: 0, ANY_COMPLETED: 1, ALL_COMPLETED: 2 } as const

/** How soon a task runs beside others. */
export const Priority = { LOW: 0, MEDIUM: 1, HIGH: 2 } as const

/** The greatest id: those of the interface are signed 32-bit integers. */
export const ID_MAX = 2 ** 31 - 1

const TASK_WORDS = ['uri', 'method', 'args', 'priority', 'dependsOn', 'max_workers']

/** A task that has been judged. */
export interface JudgedTask {
  readonly data: { uri: string; method: string; args: string; maxWorkers?: number }
  readonly priority: number
  readonly dependsOn: number[]
}

/** The tasks of a call. */
export function tasksOf(given: unknown): JudgedTask[] {
  const { tasks } = only(given, ['tasks'], 'args')
  return listOf(tasks, 'tasks').map((task, i) => taskOf(task, `tasks[${i}]`))
}

function taskOf(given: unknown, path: string): JudgedTask {
  const within = (word: string) => `${path}.${word}`
  const task = wordsOf(given, path) as Partial<Record<keyof WrapTask, unknown>>
  const maxWorkers = task.max_workers ?? undefined
  if (maxWorkers !== undefined && !(isInt(maxWorkers) && maxWorkers >= 1)) {
    throw invalid(within('max_workers'), 'must be an integer from 1 to 2,147,483,647')
  }
  const data = {
    uri: textOf(task.uri, within('uri')),
    method: textOf(task.method, within('method')),
    args: Buffer.from(argsOf(task.args, within('args'))).toString('base64'),
    ...(maxWorkers !== undefined && { maxWorkers }),
  }
  return {
    data,
    // LOW is below the default of other tasks, HIGH above it.
    priority: wordOf(Priority, task.priority ?? 'MEDIUM', within('priority')) - 1,
    dependsOn: task.dependsOn == null ? [] : idsOf(task.dependsOn, within('dependsOn')),
  }
}

function wordsOf(given: unknown, path: string): object {
  try {
    return only(given, TASK_WORDS, path)
  } catch (error) {
    const at = (error as { path?: string }).path
    if (at === undefined || at.startsWith(path)) throw error
    throw invalid(`${path}.${at}`, `is no word of a task: ${TASK_WORDS.join(', ')}`)
  }
}

function argsOf(value: unknown, path: string): Uint8Array {
  if (typeof value !== 'object' || value === null) {
    throw invalid(path, `must be MessagePack bytes or an object, and is ${spell(value)}`)
  }
  return value instanceof Uint8Array ? bytesOf(value, path) : encode(value)
}

/** Ids of tasks, from the member of that name. */
export function taskIdsOf(given: unknown, words: readonly string[] = ['taskIds']): number[] {
  return idsOf(only(given, words, 'args').taskIds, 'taskIds')
}

function idsOf(given: unknown, path: string): number[] {
  return listOf(given, path).map((id, i) => {
    if (isInt(id)) return id
    throw invalid(`${path}[${i}]`, `must be an integer of 32 bits, and is ${spell(id)}`)
  })
}

function listOf(given: unknown, path: string): unknown[] {
  if (Array.isArray(given)) return given
  throw invalid(path, `must be a list, and is ${spell(given)}`)
}

/** The position of a word, which may be given as that or by name. */
export function wordOf<Words extends Record<string, number>>(
  words: Words,
  value: unknown,
  path: string,
): number {
  const names = Object.keys(words)
  if (typeof value === 'string' && names.includes(value)) return words[value] as number
  if (isInt(value) && value >= 0 && value < names.length) return value
  throw invalid(path, `must be ${names.join(', ')} or its position, and is ${spell(value)}`)
}

function textOf(value: unknown, path: string): string {
  if (typeof value === 'string' && value.length > 0) return value
  throw invalid(path, `must be a text that is not empty, and is ${spell(value)}`)
}

const isInt = (value: unknown): value is number =>
  Number.isInteger(value) && Math.abs(value as number) <= ID_MAX
