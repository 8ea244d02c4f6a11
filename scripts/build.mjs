// Builds what a checkout lacks: the native addon with cargo, and dist/ with tsc.
// Also shipped in the package, for `npx tasker build-native`.

import {
  copyFileSync,
  existsSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
} from 'node:fs'
import { join } from 'node:path'
import { has, isMain, need, node, root, run, say } from './steps.mjs'

/** What napi calls this platform: the middle of the addon's name. */
export function platform() {
  const { platform, arch } = process
  if (platform === 'linux') return `linux-${arch}-${isMusl() ? 'musl' : 'gnu'}`
  return platform === 'win32' ? `win32-${arch}-msvc` : `${platform}-${arch}`
}

const isMusl = () => !process.report.getReport().header.glibcVersionRuntime

/** The addon's place. */
export const addon = join(root, `tasker.${platform()}.node`)

/** Builds the addon. Cargo decides what is to be done; a second time costs a moment. */
export async function buildAddon() {
  if (!has('cargo') && existsSync(addon)) return say(`cargo is missing: ${addon} stays as it is`)
  needTools()
  if (!existsSync(addon)) say('building the engine and SQLite from source; this takes minutes')
  await buildLibrary('tasker', addon, [])
}

/** Refuses to go on without what npm does not bring. */
export function needTools() {
  need('cargo')
  if (process.platform !== 'win32') need('cc')
}

/** Builds a library of this name with cargo and puts it in its place. */
export async function buildLibrary(name, place, args) {
  const how = ['--release', '--lib', '--message-format', 'json-render-diagnostics']
  const messages = await run('cargo', ['build', '--package', name, ...how, ...args], {
    capture: true,
    env: cargoEnv(),
  })
  install(libraryIn(messages, name), place)
}

/** On musl an addon must link the C library of its host dynamically. */
function cargoEnv() {
  const { RUSTFLAGS = '' } = process.env
  if (process.platform !== 'linux' || !isMusl()) return process.env
  return { ...process.env, RUSTFLAGS: `${RUSTFLAGS} -C target-feature=-crt-static` }
}

/** The library among the artifacts that cargo reports. */
function libraryIn(messages, name) {
  const artifacts = messages.split('\n').filter(line => line.includes('"compiler-artifact"'))
  const ours = artifacts
    .map(line => JSON.parse(line))
    .findLast(({ target }) => target.name === name && target.crate_types.includes('cdylib'))
  return ours.filenames.find(file => /\.(so|dylib|dll)$/.test(file))
}

/** Puts the library in its place by a rename: a process may have the old one loaded. */
export function install(library, place) {
  const built = statSync(library)
  const old = statSync(place, { throwIfNoEntry: false })
  if (old?.mtimeMs === Math.floor(built.mtimeMs) && old.size === built.size) return
  const fresh = `${place}.${process.pid}`
  copyFileSync(library, fresh)
  utimesSync(fresh, built.atime, new Date(Math.floor(built.mtimeMs)))
  renameSync(fresh, place)
}

/**
 * Compiles ts/ to dist/ if a source is newer. A source with a fault leaves dist/ as it was. The
 * package has dist/ but no ts/.
 */
export async function buildDist() {
  if (!existsSync(join(root, 'ts')) || isDistFresh()) return
  say('compiling ts/')
  const before = Date.now() - 1000
  const tsc = ['node_modules/typescript/bin/tsc', '-p', 'ts/tsconfig.json', '--noEmitOnError']
  await node(tsc)
  const stale = filesIn('dist').filter(file => times([file])[0] < before)
  for (const file of stale) rmSync(join(root, file))
}

function isDistFresh() {
  const built = filesIn('dist').filter(file => file.endsWith('.js'))
  const sources = [...filesIn('ts'), ...filesIn('types'), 'tsconfig.json', 'index.d.ts'].filter(
    file => existsSync(join(root, file)),
  )
  return built.length > 0 && Math.min(...times(built)) > Math.max(...times(sources))
}

const times = files => files.map(file => statSync(join(root, file)).mtimeMs)

function filesIn(folder) {
  if (!existsSync(join(root, folder))) return []
  const entries = readdirSync(join(root, folder), { withFileTypes: true, recursive: true })
  return entries
    .filter(entry => entry.isFile())
    .map(entry => join(entry.parentPath ?? entry.path, entry.name).slice(root.length))
}

if (isMain(import.meta.url)) {
  const built = buildAddon().then(buildDist)
  await built.catch(error => {
    say(error.message)
    process.exitCode = 1
  })
}
