/**
 * Schemas of operations, by the Standard Schema of zod, valibot, arktype and others: whether data
 * fits is asked before a task is added, whether a result fits when a runner has returned.
 *
 * Schemas are code, so they stay in this tasker: other processes do not have them. What they make
 * of a value is dropped: what is stored is what was given.
 *
 * # Promises
 * - A value that does not fit is refused with the path of its first fault.
 * - A schema that throws, or answers nonsense, refuses the value: never is it taken to fit.
 *
 * Proof: `__test__/contract/operations.test.mjs`.
 */

import type { OperationSchemas, StandardSchema } from '../index'
import { invalid, read, spell, TaskerError } from './errors'
import { parse } from './globals'
import { objectOf } from './objects'

/** What a schema is about. */
type Part = 'data' | 'result'

const PARTS: readonly Part[] = ['data', 'result']

/** The schemas of the option `schema`; nothing if it is absent. */
export function schemasOf(given: unknown): OperationSchemas | undefined {
  if (given === undefined) return undefined
  if (isSchema(given)) {
    throw invalid('schema', 'say what it checks: { data: schema }, { result: schema } or both')
  }
  const { data, result, ...others } = objectOf(given, 'schema')
  const unknown = Object.keys(others)[0]
  if (unknown !== undefined) {
    throw invalid(`schema.${unknown}`, `is not a schema; there are ${PARTS.join(', ')}`)
  }
  return { data: schemaOf(data, 'schema.data'), result: schemaOf(result, 'schema.result') }
}

function schemaOf(given: unknown, path: string): StandardSchema | undefined {
  if (given === undefined) return undefined
  if (isSchema(given)) return given
  throw invalid(path, 'must be a Standard Schema, such as zod, valibot and arktype make')
}

function isSchema(given: unknown): given is StandardSchema {
  const schema = Object(given) as Partial<StandardSchema>
  return typeof schema['~standard']?.validate === 'function'
}

/** The schemas of this tasker, by operation. Those of `defineOperation` go before the others. */
export class Schemas {
  /** Those of definitions that are stored. */
  readonly #defined = new Map<string, OperationSchemas>()
  /** Those of definitions under way, in their order: each holds from its call on. */
  readonly #underWay = new Map<string, OperationSchemas[]>()
  /** Those of `assignRunner`. */
  readonly #assigned = new Map<string, OperationSchemas>()

  /** What a `defineOperation` brings; to be told whether that was stored. */
  define(operation: string, schemas: OperationSchemas | undefined): (isStored: boolean) => void {
    const own = schemas ?? {}
    const others = this.#underWay.get(operation) ?? []
    others.push(own)
    this.#underWay.set(operation, others)
    return isStored => {
      others.splice(others.indexOf(own), 1)
      if (others.length === 0) this.#underWay.delete(operation)
      if (isStored) replace(this.#defined, operation, schemas)
    }
  }

  /** What an `assignRunner` with options brings. */
  assign(operation: string, schemas: OperationSchemas | undefined): void {
    replace(this.#assigned, operation, schemas)
  }

  /** Refuses a definition whose data does not fit; `prefix` is the path of the definition. */
  checkData(definition: unknown, prefix = ''): void {
    if (this.#isEmpty) return
    const { operation, data } = Object(definition)
    this.#check('data', operation, data, `${prefix}data`)
  }

  /** Refuses a result that does not fit. */
  checkResult(operation: string, result: unknown): void {
    if (this.#isEmpty) return
    this.#check('result', operation, result, 'result')
  }

  /** The same for one that has been written as JSON text. */
  checkResultText(operation: string, text: string | undefined): void {
    if (this.#isEmpty) return
    this.#check('result', operation, text === undefined ? undefined : parse(text), 'result')
  }

  #check(part: Part, operation: string, value: unknown, path: string) {
    const defined = this.#underWay.get(operation)?.at(-1) ?? this.#defined.get(operation)
    const schema = defined?.[part] ?? this.#assigned.get(operation)?.[part]
    if (schema) check(schema, value, path)
  }

  get #isEmpty(): boolean {
    return this.#defined.size + this.#underWay.size + this.#assigned.size === 0
  }
}

/** Replaces the schemas of one layer of an operation; absent ones go. */
function replace(
  layer: Map<string, OperationSchemas>,
  operation: string,
  schemas: OperationSchemas | undefined,
): void {
  if (schemas) layer.set(operation, schemas)
  else layer.delete(operation)
}

function check(schema: StandardSchema, value: unknown, path: string) {
  const issues = issuesOf(schema, value, path)
  if (issues === undefined) return
  const issue = Object(Array.isArray(issues) ? issues[0] : undefined)
  const [keys, message] = [read(issue, 'path'), read(issue, 'message')]
  const why = message === undefined ? '' : `: ${spell(message)}`
  throw invalid(pathOf(path, keys), `does not fit the schema${why}`)
}

/** What a schema finds wrong with a value; nothing if it fits. */
function issuesOf(schema: StandardSchema, value: unknown, path: string): unknown {
  let answer: unknown
  let then: unknown
  let issues: unknown
  try {
    answer = schema['~standard'].validate(value)
    const members = Object(answer)
    then = members.then
    issues = members.issues
  } catch (cause) {
    throw invalid(path, `the schema threw: ${spell(cause)}`, cause)
  }
  if (typeof then === 'function') {
    // Whether it fits must be known at once: tasks are added in the order of their calls.
    Promise.resolve(answer).catch(() => {})
    const message = `${path}: the schema answers with a promise; give one that answers at once`
    throw new TaskerError('TASKER_UNSUPPORTED', message, { path })
  }
  if (typeof answer === 'object' && answer !== null) return issues ?? undefined
  throw invalid(path, `the schema answers with ${spell(answer)}, not with { value } or { issues }`)
}

/** The path of what is wrong, such as `data.books.0`. */
function pathOf(path: string, keys: unknown): string {
  if (!Array.isArray(keys)) return path
  return keys.reduce<string>((at, key) => {
    const name = typeof key === 'object' && key !== null ? read(key, 'key') : key
    return `${at}.${spell(name)}`
  }, path)
}
