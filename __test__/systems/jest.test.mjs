// The example of a test passes under jest, whose fake timers replace ticks and microtasks too.

import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { compileExample } from '../package/example.mjs'
import { folder } from '../package/installed.mjs'
import { output } from '../package/program.mjs'

const leaveOut = ['node.test.ts', 'vitest.test.ts', 'vitest']

test('the example of a test passes under jest', () => {
  const cwd = compileExample('testing', leaveOut)()
  const jest = join(folder, 'node_modules/jest/bin/jest.js')
  const args = [
    '--experimental-vm-modules',
    jest,
    '--json',
    '--testTimeout=120000',
    'dist/jest.test.js',
  ]
  const printed = output(process.execPath, args, { cwd })
  const { numPassedTests, numTotalTests } = JSON.parse(printed)
  assert.deepEqual([numPassedTests, numTotalTests], [3, 3])
})
