// `npx tasker build-native` in an installed package that brought no addon. It compiles all from
// source, for minutes, so `npm test` leaves it out; the release runs it:
// node --test __test__/package/build-native.slow.mjs

import assert from 'node:assert/strict'
import { existsSync, linkSync, readFileSync, rmSync } from 'node:fs'
import { basename, join } from 'node:path'
import { test } from 'node:test'
import { addon } from '../../scripts/build.mjs'
import { node } from '../../scripts/steps.mjs'
import { folder, installed, prints, work } from './installed.mjs'

test('it builds an addon that works and leaves the rest of the package as it was', async () => {
  const place = join(installed, basename(addon))
  rmSync(place)
  const program = `import { Tasker } from 'tasker'\n${work}`
  assert.throws(() => prints('esm.mjs', program), /TASKER_NATIVE_MISSING/)

  // A package manager may share the file with other projects.
  const shared = join(folder, 'Cargo.lock')
  linkSync(join(installed, 'Cargo.lock'), shared)
  const lock = readFileSync(shared, 'utf8')
  await node([join(folder, 'node_modules/.bin/tasker'), 'build-native'], { cwd: folder })

  assert.equal(prints('esm.mjs', program), '42\n')
  assert.equal(readFileSync(shared, 'utf8'), lock)
  for (const name of ['.build', 'target']) assert.ok(!existsSync(join(installed, name)), name)
})
