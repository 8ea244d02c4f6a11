// What a release publishes: a package per platform, and tasker, which lets npm pick one of them.

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { addon, platform } from '../../scripts/build.mjs'
import {
  checkAddon,
  packPlatform,
  packTasker,
  platformPackage,
  platforms,
  taskerPackage,
} from '../../scripts/release.mjs'
import { npm, output, root } from './program.mjs'

function emptyFolder(t) {
  const folder = mkdtempSync(join(tmpdir(), 'tasker-release-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** The head of a library, by what its system writes there. */
function head(os, code, text = '') {
  const bytes = Buffer.alloc(128)
  if (os === 'linux') {
    bytes.write('\x7fELF', 'latin1')
    bytes.writeUInt16LE(code, 18)
  } else if (os === 'darwin') {
    bytes.writeUInt32LE(0xfeedfacf)
    bytes.writeUInt32LE(code, 4)
  } else {
    bytes.write('MZ')
    bytes.writeUInt32LE(64, 60)
    bytes.write('PE\0\0', 64)
    bytes.writeUInt16LE(code, 68)
  }
  return Buffer.concat([bytes, Buffer.from(text)])
}

const glibc = 'libc.so.6 GLIBC_2.2.5 GLIBC_2.28'
const heads = {
  'darwin-arm64': head('darwin', 0x0100000c),
  'darwin-x64': head('darwin', 0x01000007),
  'linux-arm64-gnu': head('linux', 183, glibc),
  'linux-arm64-musl': head('linux', 183, 'libc.musl-aarch64.so.1'),
  'linux-x64-gnu': head('linux', 62, glibc),
  'linux-x64-musl': head('linux', 62, 'libc.musl-x86_64.so.1'),
  'win32-arm64-msvc': head('win32', 0xaa64),
  'win32-x64-msvc': head('win32', 0x8664),
}

test('each platform has a package that npm selects by system, processor and C library', () => {
  const { version, optionalDependencies } = taskerPackage()
  const packages = Object.keys(platforms).map(platformPackage)
  const names = packages.map(({ name }) => name)
  assert.deepEqual(Object.keys(optionalDependencies), names)
  assert.ok(Object.values(optionalDependencies).every(each => each === version))
  const selectors = packages.map(({ os, cpu, libc = [] }) => [...os, ...cpu, ...libc].join())
  assert.equal(new Set(selectors).size, packages.length)
  for (const { name, os, cpu, libc, main } of packages) {
    const tail = libc ? `-${libc[0] === 'musl' ? 'musl' : 'gnu'}` : os[0] === 'win32' ? '-msvc' : ''
    assert.equal(name, `@tasker/native-${os}-${cpu}${tail}`)
    assert.equal(`@tasker/${main}`, `${name.replace('native-', 'tasker.')}.node`)
  }
  assert.ok(names.includes(`@tasker/native-${platform()}`))
})

test('all versions are one: of the package, its lock file and the crates', () => {
  const text = file => readFileSync(join(root, file), 'utf8')
  const { version } = taskerPackage()
  assert.equal(JSON.parse(text('package-lock.json')).version, version)
  assert.ok(text('Cargo.toml').includes(`\nversion = "${version}"\n`))
})

test('an addon that is not what its name says is refused', () => {
  for (const name of Object.keys(platforms)) {
    checkAddon(name, heads[name])
    for (const [other, bytes] of Object.entries(heads)) {
      if (other !== name) assert.throws(() => checkAddon(name, bytes), /is (for|linked to) /, other)
    }
    assert.throws(() => checkAddon(name, Buffer.from('garbage')), /is for nobody/)
  }
})

test('an addon that needs a newer glibc than Node.js 20 is refused', () => {
  const bytes = head('linux', 62, 'libc.so.6 GLIBC_2.29 GLIBC_2.3')
  assert.throws(() => checkAddon('linux-x64-gnu', bytes), /needs glibc 2\.29/)
})

test('a release makes all the tarballs, or none when an addon is missing', t => {
  const folder = emptyFolder(t)
  const [addons, out] = [join(folder, 'addons'), join(folder, 'out')]
  for (const place of [addons, out]) mkdirSync(place)
  const release = () =>
    spawnSync(process.execPath, [join(root, 'scripts/release.mjs'), addons, out])
  const names = Object.keys(platforms)
  for (const name of names.slice(1)) {
    writeFileSync(join(addons, `tasker.${name}.node`), heads[name])
  }
  assert.equal(release().status, 1)
  assert.deepEqual(readdirSync(out), [])
  writeFileSync(join(addons, `tasker.${names[0]}.node`), heads[names[0]])
  const { status, stderr } = release()
  assert.equal(status, 0, stderr)
  const { version } = taskerPackage()
  const tarballs = names.map(name => `tasker-native-${name}-${version}.tgz`)
  assert.deepEqual(readdirSync(out).sort(), [`tasker-${version}.tgz`, ...tarballs].sort())
})

test('the published packages work together, without a script or an addon in tasker', async t => {
  const folder = emptyFolder(t)
  const tarballs = [await packTasker(folder), await packPlatform(platform(), addon, folder)]
  writeFileSync(join(folder, 'package.json'), '{ "private": true }')
  npm(['install', ...tarballs.map(({ filename }) => `./${filename}`)], folder)
  const home = join(folder, 'node_modules/tasker')
  assert.ok(!readdirSync(home).some(name => name.endsWith('.node')))
  const { scripts, devDependencies } = JSON.parse(readFileSync(join(home, 'package.json'), 'utf8'))
  assert.deepEqual([scripts, devDependencies], [undefined, undefined])
  const program = "await new (await import('tasker')).Tasker(':memory:').close(); console.log('ok')"
  const args = ['--input-type=module', '--eval', program]
  assert.equal(output(process.execPath, args, { cwd: folder }), 'ok\n')
})
