// An addon that is missing or wrong is told with all that was searched, the C library that was
// found, and what to do. Each test has a package of its own, without an addon.

import assert from 'node:assert/strict'
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { addon, platform } from '../../scripts/build.mjs'
import { output, root } from './program.mjs'

const fitting = `tasker.${platform()}.node`
const other = `tasker.linux-${process.arch}-${platform().endsWith('-musl') ? 'gnu' : 'musl'}.node`
const packed = `@tasker/native-${platform()}`
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))

/** A folder in which the package is installed, but no addon. */
function withoutAddon(t) {
  const folder = mkdtempSync(join(tmpdir(), 'tasker-native-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  const home = join(folder, 'node_modules/tasker')
  for (const name of ['dist', 'index.mjs', 'package.json']) {
    cpSync(join(root, name), join(home, name), { recursive: true })
  }
  return { folder, home }
}

/** Puts a platform package beside tasker. */
function addPlatformPackage(folder, version) {
  const home = join(folder, 'node_modules', packed)
  rmSync(home, { recursive: true, force: true })
  mkdirSync(home, { recursive: true })
  writeFileSync(join(home, 'package.json'), JSON.stringify({ version, main: fitting }))
  symlinkSync(addon, join(home, fitting))
}

/** What the first `new Tasker` says: the error, or 'works'. */
function told(folder, env = {}) {
  const script = `
    import { Tasker, TaskerError } from 'tasker'
    try {
      await new Tasker(':memory:').close()
      console.log(JSON.stringify('works'))
    } catch (error) {
      const { code, message, cause } = error
      const isTyped = error instanceof TaskerError
      console.log(JSON.stringify({ isTyped, code, message, causes: cause.errors.length }))
    }`
  const args = ['--input-type=module', '--eval', script]
  const { TASKER_NATIVE, ...rest } = process.env
  return JSON.parse(output(process.execPath, args, { cwd: folder, env: { ...rest, ...env } }))
}

/** Asserts that the error is typed and that its message has all these parts. */
function says({ isTyped, code, message }, ...parts) {
  assert.deepEqual([isTyped, code], [true, 'TASKER_NATIVE_MISSING'])
  for (const part of parts) assert.ok(message.includes(part), `${part} in: ${message}`)
}

test('an absent addon is told with what was searched, the C library, and both fixes', t => {
  const { folder, home } = withoutAddon(t)
  const error = told(folder)
  const { glibcVersionRuntime } = process.report.getReport().header
  const libc = glibcVersionRuntime ? `glibc ${glibcVersionRuntime}` : 'musl'
  const who = [platform(), `tasker ${version}`, process.version]
  const where = [join(home, fitting), `${packed}: Cannot find module`]
  says(error, ...who, ...where, 'npx tasker build-native', '--omit=optional')
  if (process.platform === 'linux') says(error, libc)
  assert.equal(error.causes, 2)
})

test('an addon that is garbage is told with what the system says of it', t => {
  const { folder, home } = withoutAddon(t)
  writeFileSync(join(home, fitting), 'not a library')
  const { message, ...error } = told(folder)
  says({ message, ...error }, 'npx tasker build-native')
  const line = message.split('\n').find(each => each.includes(join(home, fitting)))
  assert.ok(line.length > `  ${join(home, fitting)}: `.length + 10, line)
  assert.doesNotMatch(line, /Cannot find module/)
})

test('an addon for another C library is not loaded, and is named', t => {
  const { folder, home } = withoutAddon(t)
  symlinkSync(addon, join(home, other))
  says(told(folder), platform(), `for another platform: ${other}`)
})

test('the platform package is found; one of another version is refused', t => {
  const { folder } = withoutAddon(t)
  addPlatformPackage(folder, version)
  assert.equal(told(folder), 'works')
  addPlatformPackage(folder, '99.0.0')
  says(told(folder), `${packed}: it is version 99.0.0, not ${version}`)
})

test('garbage beside a platform package that fits does no harm', t => {
  const { folder, home } = withoutAddon(t)
  writeFileSync(join(home, fitting), 'not a library')
  addPlatformPackage(folder, version)
  assert.equal(told(folder), 'works')
})

test('TASKER_NATIVE names the one addon to load, from the folder of the process too', t => {
  const { folder, home } = withoutAddon(t)
  symlinkSync(addon, join(folder, 'mine.node'))
  assert.equal(told(folder, { TASKER_NATIVE: 'mine.node' }), 'works')
  symlinkSync(addon, join(home, fitting))
  const error = told(folder, { TASKER_NATIVE: 'none.node' })
  says(error, join(folder, 'none.node'), 'TASKER_NATIVE')
  assert.equal(error.causes, 1)
})

test('a checkout is told to build', t => {
  const { folder, home } = withoutAddon(t)
  mkdirSync(join(home, 'ts'))
  says(told(folder), 'npm run build')
})

test('where Node.js loads no addons, that is told, with the flag (S-14)', t => {
  const { folder, home } = withoutAddon(t)
  symlinkSync(addon, join(home, fitting))
  const error = told(folder, { NODE_OPTIONS: '--no-addons' })
  says(error, '--allow-addons', 'loading addons is disabled')
  assert.ok(!error.message.includes('build-native'), error.message)
})
