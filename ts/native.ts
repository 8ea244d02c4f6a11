/**
 * Finds and loads the native addon.
 *
 * Nothing is loaded on import: the first `new Tasker` does it. What goes wrong is told with all
 * that was tried, because "cannot find module" helps nobody.
 *
 * Proof: `__test__/contract/native.test.mjs`.
 */

import { AsyncLocalStorage } from 'node:async_hooks'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { TaskerError } from './errors'

/**
 * Calls a function in the async context of the first import: no request's context leaks into
 * runners.
 */
export const root = AsyncLocalStorage.snapshot()

/** The native side of one tasker; `docs/internals/bridge.md` says what each text holds. */
export interface NativeHandle {
  add(ticket: number, definitions: string): void
  addMany(ticket: number, definitions: string): void
  complete(outcomes: string): void
  record(records: string): void
  command(ticket: number, command: string): void
  read(ticket: number, read: string): void
  drain(): string
  shutdown(): void
}

interface Addon {
  open(options: string, bell: () => void): NativeHandle | string
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
    const report = process.report?.getReport() as { header?: { glibcVersionRuntime?: string } }
    return report?.header?.glibcVersionRuntime === undefined
  }
}

function load(): Addon {
  const found = triple()
  const named = process.env.TASKER_NATIVE
  const places = named
    ? [named]
    : [join(__dirname, '..', `tasker.${found}.node`), `@tasker/native-${found}`]
  const failures: unknown[] = []
  for (const place of places) {
    try {
      return require(place) as Addon
    } catch (error) {
      failures.push(error)
    }
  }
  throw missing(found, places, failures)
}

function missing(found: string, places: string[], failures: unknown[]): TaskerError {
  const tried = places.map((place, i) => `  ${place}: ${firstLine(failures[i])}`)
  const message = [
    `The native addon for ${found} (Node ${process.version}) was not found or cannot be loaded.`,
    'Searched:',
    ...tried,
    'In a checkout `npm run build` makes it.',
    'Elsewhere, install the package on the platform that it runs on.',
  ].join('\n')
  return new TaskerError('TASKER_NATIVE_MISSING', message, { cause: new AggregateError(failures) })
}

const firstLine = (error: unknown) => String((error as Error)?.message ?? error).split('\n', 1)[0]
