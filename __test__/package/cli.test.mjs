// The program `tasker` of the installed package, without the minutes of a build: those are in
// `__test__/systems/build-native.test.mjs`.

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { folder, installed } from './installed.mjs'
import { root } from './program.mjs'

const tasker = join(installed, 'bin/tasker.mjs')

function run(args, env = process.env) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [tasker, ...args], {
    cwd: folder,
    encoding: 'utf8',
    env,
  })
  return { status, stdout, stderr }
}

test('npm installs it as a command', () => {
  const place = join(folder, 'node_modules/.bin')
  assert.ok(existsSync(join(place, process.platform === 'win32' ? 'tasker.cmd' : 'tasker')))
})

test('it tells its one command: on request, and when it is called in another way', () => {
  const { status, stdout } = run(['--help'])
  assert.equal(status, 0)
  assert.match(stdout, /build-native/)
  for (const args of [[], ['build'], ['build-native', 'now']]) {
    assert.deepEqual(run(args), { status: 2, stdout: '', stderr: stdout }, args.join(' '))
  }
})

test('without Rust build-native says what is missing and where it is, and makes nothing', () => {
  const nowhere = join(folder, 'empty')
  mkdirSync(nowhere)
  const { status, stderr } = run(['build-native'], { PATH: nowhere })
  assert.equal(status, 1)
  assert.match(stderr, /^tasker: cargo is missing; install Rust .+ from rustup\.rs\n$/)
  assert.ok(!existsSync(join(installed, '.build')))
})

test('it brings every script that it imports, and runs in the checkout too', () => {
  const { status } = spawnSync(process.execPath, [join(root, 'bin/tasker.mjs'), '--help'])
  assert.equal(status, 0)
})
