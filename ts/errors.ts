/**
 * The errors that tasker's own calls throw and reject with, and how to look at foreign ones.
 *
 * # Promises
 * - Looking at an error of user code, however hostile, never throws (I-15).
 */

import type { TaskerErrorCode, TaskerErrorFacts } from '../index'

/** What tasker's own calls throw and reject with. */
export class TaskerError extends Error {
  declare readonly name: 'TaskerError'
  readonly code: TaskerErrorCode
  declare readonly path?: string
  declare readonly pid?: number
  declare readonly uuids?: string[]
  declare readonly uuid?: string

  constructor(code: TaskerErrorCode, message: string, facts: TaskerErrorFacts = {}) {
    super(message, 'cause' in facts ? { cause: facts.cause } : undefined)
    hide(this, 'name', 'TaskerError')
    this.code = code
    if (facts.path !== undefined) this.path = facts.path
    if (facts.pid !== undefined) this.pid = facts.pid
    if (facts.uuids?.length) this.uuids = facts.uuids
    if (facts.uuid !== undefined) this.uuid = facts.uuid
  }
}

/** `TASKER_INVALID` for the argument at `path`. */
export function invalid(path: string, message: string, cause?: unknown): TaskerError {
  const facts = cause === undefined ? { path } : { path, cause }
  return new TaskerError('TASKER_INVALID', `${path}: ${message}`, facts)
}

/** `TASKER_INVALID` for a value at `path` that `JSON.stringify` refused with `cause`. */
export function unwritable(path: string, cause: unknown): TaskerError {
  const [why = ''] = spell(isError(cause) ? read(cause, 'message') : cause).split('\n', 1)
  return invalid(path, `cannot be stored as JSON: ${why.slice(0, 200)}`, cause)
}

/** A refusal that came from the engine. */
export function refusal(bridge: TaskerErrorFacts & { code: TaskerErrorCode; message: string }) {
  const { code, message, ...facts } = bridge
  return untraced(new TaskerError(code, message, facts))
}

/** Errors that were made when an answer came: their stack says nothing of who called. */
const withoutCaller = new WeakSet<Error>()

/** Marks an error that is made where the caller is not known. */
export function untraced(error: TaskerError): TaskerError {
  withoutCaller.add(error)
  return error
}

/** The same error for another call. */
export function renewed(error: unknown): unknown {
  if (!(error instanceof TaskerError)) return error
  const { code, message, path, pid, uuids, uuid } = error
  const facts = { path, pid, uuids, uuid, ...('cause' in error && { cause: error.cause }) }
  return untraced(new TaskerError(code, message, facts as TaskerErrorFacts))
}

/** Waits for a call; what it is refused with has a stack that shows who called. */
export async function traced<T>(call: Promise<T>): Promise<T> {
  try {
    return await call
  } catch (error) {
    throw withCaller(error, traced)
  }
}

/** Gives an error of ours the stack of the async function `call`: who awaits it is in there. */
export function withCaller(error: unknown, call: (...args: never[]) => unknown): unknown {
  // Only now: the stack of each call would cost more than the call.
  if (withoutCaller.delete(error as Error)) Error.captureStackTrace(error as Error, call)
  return error
}

/** Whether it is an Error, of this realm or another; a Proxy that refuses the question is none. */
export function isError(value: unknown): value is Error {
  try {
    return value instanceof Error || Object.prototype.toString.call(value) === '[object Error]'
  } catch {
    return false
  }
}

/** A property, whatever its getter does. */
export function read(source: object, key: string): unknown {
  try {
    return (source as Record<string, unknown>)[key]
  } catch {
    return undefined
  }
}

/** Any value as a text, whatever its `toString` does; a list is not spelled out, it may be long. */
export function spell(value: unknown): string {
  try {
    const isList = Array.isArray(value) || ArrayBuffer.isView(value)
    return isList ? Object.prototype.toString.call(value) : String(value)
  } catch {
    return '(a value that cannot be read)'
  }
}

/** Sets a property that does not show when the error is printed or enumerated. */
export function hide(target: object, key: string, value: unknown): void {
  Object.defineProperty(target, key, { value, ...OPEN, enumerable: false })
}

/** Sets a property as an assignment would, but for keys such as `__proto__`: they stay keys. */
export function show(target: object, key: string, value: unknown): void {
  Object.defineProperty(target, key, { value, ...OPEN, enumerable: true })
}

const OPEN = { writable: true, configurable: true }

/** Whether an error says, or has as its cause, that something of tasker is closed. */
export function isForClose(error: unknown): boolean {
  let one = error
  for (let depth = 0; depth < 8 && isError(one); depth += 1) {
    if (read(one, 'code') === 'TASKER_CLOSED') return true
    one = read(one, 'cause')
  }
  return false
}
