// The package as a user gets it: what is in it, and that it works in an empty folder, without
// scripts and without a network.

import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { before, test } from 'node:test'
import { npm, output, root, tsc } from './program.mjs'

const snapshot = join(root, '__test__/package/files.txt')
const folder = mkdtempSync(join(tmpdir(), 'tasker-pack-'))
process.on('exit', () => rmSync(folder, { recursive: true, force: true }))
let files

before(() => {
  const [packed] = JSON.parse(npm(['pack', '--json', '--pack-destination', folder], root))
  files = packed.files.map(file => file.path)
  writeFileSync(join(folder, 'package.json'), '{ "private": true }')
  npm(['install', `./${packed.filename}`], folder)
})

/** One line per file; a folder of sources is one line. */
function summary() {
  const isSource = file => /^(dist|src|crates)\/.*\.(js|rs|sql)$/.test(file)
  const lines = files.map(file => (isSource(file) ? `${dirname(file)}/*` : file))
  const platform = /^tasker\..*\.node$/
  const plain = [...new Set(lines)].map(line => line.replace(platform, 'tasker.<platform>.node'))
  return `${plain.sort().join('\n')}\n`
}

test('the package holds what it should and nothing else', () => {
  if (process.env.UPDATE) writeFileSync(snapshot, summary())
  assert.equal(summary(), readFileSync(snapshot, 'utf8'))
})

test("it has no runtime dependency and no script that runs on a user's machine", () => {
  const about = JSON.parse(readFileSync(join(folder, 'node_modules/tasker/package.json'), 'utf8'))
  assert.equal(about.dependencies, undefined)
  for (const script of ['preinstall', 'install', 'postinstall']) {
    assert.equal(about.scripts[script], undefined)
  }
})

const work = `
  const tasker = new Tasker(':memory:')
  tasker.assignRunner('double', async ({ data }) => data * 2)
  await tasker.start()
  const uuid = await tasker.addTask({ operation: 'double', data: 21 })
  console.log(await tasker.waitForTaskOutputData(uuid))
  await tasker.close()`

test('it works by import', () => {
  writeFileSync(join(folder, 'esm.mjs'), `import { Tasker } from 'tasker'\n${work}`)
  assert.equal(output(process.execPath, ['esm.mjs'], { cwd: folder }), '42\n')
})

test('it works by require, with the same class', () => {
  const same = `
  const { Tasker: imported } = await import('tasker')
  if (imported !== Tasker) throw new Error('two classes')`
  const program = `const { Tasker } = require('tasker')\n;(async () => {${work}${same}\n})()`
  writeFileSync(join(folder, 'cjs.cjs'), program)
  assert.equal(output(process.execPath, ['cjs.cjs'], { cwd: folder }), '42\n')
})

test('its types serve both kinds of import, under node16 and bundler', () => {
  const program = `
import { Tasker, TaskerError, type Task } from 'tasker'
const tasker = new Tasker<{ double: { data: number; result: number } }>()
export const sum: Promise<number> = tasker
  .addTask({ operation: 'double', data: 1 })
  .then(uuid => tasker.waitForTaskOutputData(uuid))
export const code = (error: TaskerError): string => error.code
export type First = Task['uuid']
`
  for (const name of ['esm.mts', 'cjs.cts']) writeFileSync(join(folder, name), program)
  const types = ['--typeRoots', join(root, 'node_modules/@types'), '--types', 'node']
  const strict = ['--strict', '--noEmit', '--skipLibCheck', '--target', 'es2022', ...types]
  tsc([...strict, '--module', 'node16', 'esm.mts', 'cjs.cts'], folder)
  const bundler = ['--module', 'esnext', '--moduleResolution', 'bundler']
  tsc([...strict, ...bundler, 'esm.mts'], folder)
})

test('its Rust sources are a whole workspace, so that the addon can be built anew', () => {
  const here = join(folder, 'node_modules/tasker')
  const found = output('cargo', ['metadata', '--format-version', '1', '--offline'], { cwd: here })
  const names = JSON.parse(found).packages.map(each => each.name)
  assert.ok(names.includes('tasker') && names.includes('tasker-sqlite'))
})
