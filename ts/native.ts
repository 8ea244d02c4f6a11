/**
 * Finds and loads the native addon.
 *
 * Nothing is loaded on import: the first `new Tasker` does it. What goes wrong is told with all
 * that was tried, because "cannot find module" helps nobody.
 *
 * Proof: `__test__/package/native.test.mjs`.
 */

import { AsyncLocalStorage } from 'node:async_hooks'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import process from 'node:process'
import { read, TaskerError } from './errors'
import { parse } from './globals'

/**
 * Calls a function in the async context of the first import: no request's context leaks into
 * runners.
 */
export const inRootContext = AsyncLocalStorage.snapshot()

/** The native side of one tasker; `docs/internals/bridge.md` says what each text holds. */
export interface NativeHandle {
  add(ticket: number, definitions: string): void
  addMany(ticket: number, definitions: string): void
  addIdempotent(ticket: number, rows: string): void
  check(definition: string): string | null
  checkOperationOptions(options: string, batch: string | undefined): string | null
  complete(outcomes: string): void
  record(records: string): void
  command(ticket: number, command: string): void
  read(ticket: number, read: string): void
  /** Answers when the engine is quiet; in a test time may go by until then. */
  quiet(ticket: number, until: number | undefined, momentsMax: number, isUnheard: boolean): void
  /** Opens a server of HTTP; the answer says its number, where it listens, and its token. */
  listen(ticket: number, options: string): void
  /** Closes a server; answered when nothing is left of it. */
  unlisten(ticket: number, server: string): void
  /** Requests may come through servers of the user's; the JSON text of an error if that fails. */
  mount(): string | null
  /** One that came so; without a body it is fed. The text of an error if its access is none. */
  ask(
    ticket: number,
    head: string,
    access: string | undefined,
    body: Uint8Array | undefined,
  ): string | null
  /** The next part of its body, an empty one at the end, none if it has broken off. */
  feed(ticket: number, part: Uint8Array | undefined): boolean
  /** Nobody waits for its answer any more. */
  forget(ticket: number): void
  /** Answers those that are under way, and refuses others. */
  unmount(ticket: number): void
  /** The event loop goes round. */
  beat(): void
  /** What is known of the process beside the engine: `json`, or a text of metrics. */
  processMetrics(format: string): string
  drain(): string
  shutdown(): void
}

/** The place of a test: a file, and a clock that stands; times are milliseconds since 1970. */
export interface NativeTest {
  open(options: string, notifier: () => void): NativeHandle | string
  now(): number
  advanceTo(at: number): void
  close(): void
}

/** A value of MessagePack: JSON text, and the bytes that stand in it. */
export interface DecodedMessagePack {
  readonly text: string
  readonly bytes: Uint8Array[]
}

interface Addon {
  open(options: string, notifier: () => void): NativeHandle | string
  openTest(seed: number, now: number): NativeTest | string
  checkOperation(name: string): string | null
  /** Whether it must be known who sends a request; `null` if there is nothing at its path. */
  needsAccess(verb: string, target: string): boolean | null
  /** The answer to a request of which this is the head, when the engine is gone. */
  answerClosed(head: string): string
  /** A JSON array of times, or the JSON text of an error. */
  nextTimes(options: string): string
  encodeMessagePack(text: string, bytes: Uint8Array[]): Uint8Array | string
  decodeMessagePack(bytes: Uint8Array): DecodedMessagePack | string
}

let addon: Addon | undefined

/** The addon, loaded once per environment. */
export function native(): Addon {
  addon ??= load()
  return addon
}

/** What napi calls this platform, such as `linux-x64-gnu`. */
export function triple(): string {
  const { platform, arch } = process
  if (platform === 'linux') return `linux-${arch}-${isMusl() ? 'musl' : 'gnu'}`
  return platform === 'win32' ? `win32-${arch}-msvc` : `${platform}-${arch}`
}

function isMusl(): boolean {
  try {
    return readFileSync('/usr/bin/ldd', 'utf8').includes('musl')
  } catch {
    return glibc() === undefined
  }
}

/** The version of glibc that this process runs on, if it does. */
function glibc(): string | undefined {
  const report = process.report?.getReport() as { header?: { glibcVersionRuntime?: string } }
  return report?.header?.glibcVersionRuntime
}

/** The folder of the package; another one, or none, if a bundler moved this code. */
const home = typeof __dirname === 'string' ? dirname(__dirname) : ''

interface Failure {
  path: string
  error: unknown
}

function load(): Addon {
  const found = triple()
  const own = version()
  const named = process.env.TASKER_NATIVE
  const packed = `@tasker/native-${found}`
  const candidates = named ? [resolve(named)] : [join(home, `tasker.${found}.node`), packed]
  const failures: Failure[] = []
  for (const path of candidates) {
    try {
      if (path === packed) refuseOther(path, own)
      return require(path) as Addon
    } catch (error) {
      failures.push({ path, error })
    }
  }
  throw missing(found, own, failures)
}

/** The version of tasker, unless this code is not in its package. */
export function version(): string | undefined {
  try {
    const about = parse(readFileSync(join(home, 'package.json'), 'utf8'))
    return about.name === 'tasker' ? about.version : undefined
  } catch {
    return undefined
  }
}

/** Refuses the addon of another version of tasker. */
function refuseOther(path: string, own: string | undefined): void {
  const { version } = require(`${path}/package.json`) as { version: string }
  if (version !== own) throw new Error(`it is version ${version}, not ${own ?? 'known here'}`)
}

function missing(found: string, own: string | undefined, failures: Failure[]): TaskerError {
  const libc = process.platform === 'linux' ? `, ${libcFound()}` : ''
  const others = addonsHere().filter(name => name !== `tasker.${found}.node`)
  const message = [
    `The native addon for ${found} was not found or cannot be loaded` +
      ` (tasker ${own ?? 'of unknown version'}, Node ${process.version}${libc}).`,
    'Searched:',
    ...failures.map(({ path, error }) => `  ${path}: ${firstLine(error)}`),
    ...(others.length > 0 ? [`There, but for another platform: ${others.join(', ')}`] : []),
    ...fix(own, failures),
  ].join('\n')
  const cause = new AggregateError(failures.map(({ error }) => error))
  return new TaskerError('TASKER_NATIVE_MISSING', message, { cause })
}

function libcFound(): string {
  const version = glibc()
  return version === undefined ? 'musl, as no glibc was found' : `glibc ${version}`
}

/** The names of the addons in the package. */
function addonsHere(): string[] {
  try {
    return readdirSync(home).filter(name => /^tasker\..*\.node$/.test(name))
  } catch {
    return []
  }
}

/** What to do about it, the likeliest first. */
function fix(own: string | undefined, failures: Failure[]): string[] {
  if (failures.some(({ error }) => read(Object(error), 'code') === 'ERR_DLOPEN_DISABLED')) {
    return [
      'Node.js was told to load no addons: with --permission add --allow-addons, and leave',
      'out --no-addons.',
    ]
  }
  if (process.env.TASKER_NATIVE) {
    return ['TASKER_NATIVE names this file: unset it, or name an addon for this platform.']
  }
  if (own === undefined) {
    return ['This code is not in its package: tell the bundler that `tasker` is external.']
  }
  if (existsSync(join(home, 'ts'))) return ['In this checkout `npm run build` makes it.']
  return [
    'Install tasker on the platform that it runs on, without --omit=optional,',
    'or build the addon there, with Rust and a C compiler: npx tasker build-native',
  ]
}

const firstLine = (error: unknown) => String((error as Error)?.message ?? error).split('\n', 1)[0]
