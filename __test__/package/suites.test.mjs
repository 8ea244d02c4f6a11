// No test file is forgotten: `npm test` runs it, or `npm run test:systems` does.

import assert from 'node:assert/strict'
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { systems, testFiles } from '../../scripts/suites.mjs'
import { root } from './program.mjs'

test('every file of tests belongs to a suite', () => {
  const all = readdirSync(join(root, '__test__'), { recursive: true })
    .filter(name => name.endsWith('.test.mjs') && !name.includes('node_modules'))
    .map(name => `__test__/${name.replaceAll('\\', '/')}`)
  const listed = systems.map(({ file }) => file)
  assert.deepEqual([...testFiles(), ...listed].sort(), all.sort())
  const folder = /^__test__\/(contract|border|process|package)\//
  assert.deepEqual(
    testFiles().filter(file => !folder.test(file)),
    [],
  )
  for (const place of systems.flatMap(({ packages }) => packages)) {
    assert.ok(existsSync(join(root, place, 'package.json')), place)
  }
  for (const place of systems.flatMap(({ python }) => python ?? [])) {
    assert.ok(existsSync(join(root, place, 'requirements.txt')), place)
  }
})
