// The package as a user gets it: what is in it, that both kinds of import work, and that those who
// check packages find nothing.

import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { files, folder, installed, prints, tarball, work } from './installed.mjs'
import { linksOf, targetOf } from './pages.mjs'
import { output, root, tool } from './program.mjs'

const snapshot = join(root, '__test__/package/files.txt')

/** One line per file; a folder of sources or pages is one line. */
function summary() {
  const isSource = file =>
    /^(dist|types|src|crates)\/.*\.(js|ts|rs|sql)$|^(docs|examples)\//.test(file)
  const lines = files.map(file => (isSource(file) ? `${dirname(file)}/*` : file))
  const platform = /^tasker\..*\.node$/
  const plain = [...new Set(lines)].map(line => line.replace(platform, 'tasker.<platform>.node'))
  return `${plain.sort().join('\n')}\n`
}

test('the package holds what it should and nothing else', () => {
  if (process.env.UPDATE) writeFileSync(snapshot, summary())
  assert.equal(summary(), readFileSync(snapshot, 'utf8'))
})

test("A-17, G-23: no runtime dependency and no script that runs on a user's machine", () => {
  const about = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8'))
  for (const kind of ['dependencies', 'peerDependencies', 'optionalDependencies']) {
    assert.equal(about[kind], undefined, kind)
  }
  assert.equal(about.scripts, undefined, 'npm would ask whether they may run')
  const lock = JSON.parse(readFileSync(join(folder, 'package-lock.json'), 'utf8'))
  assert.deepEqual(Object.keys(lock.packages), ['', 'node_modules/tasker'])
})

test('the links of its pages lead to files that are in it', () => {
  const shipped = files.filter(file => file.endsWith('.md'))
  assert.ok(shipped.includes('README.md') && shipped.includes('docs/guide/start.md'))
  const dead = shipped.flatMap(page =>
    linksOf(page)
      .filter(link => !isIn(targetOf(page, link)))
      .map(link => `${page}: ${link}`),
  )
  assert.deepEqual(dead, [])
})

const isIn = path => files.some(file => file === path || file.startsWith(`${path}/`))

test('it works by import', () => {
  assert.equal(prints('esm.mjs', `import { Tasker } from 'tasker'\n${work}`), '42\n')
})

test('tasker/testing works by import and by require, with the same classes', () => {
  const work = `
  const { tasker, clock, expectTask, close } = await openTest()
  tasker.assignRunner('a', () => 42)
  await tasker.start()
  await tasker.addTask({ operation: 'a', delay: '30d' })
  await clock.advance('30d')
  console.log((await expectTask({})).result, tasker instanceof Tasker)
  await close()`
  const esm = `import { Tasker } from 'tasker'\nimport { openTest } from 'tasker/testing'\n${work}`
  assert.equal(prints('testing.mjs', esm), '42 true\n')
  const [one, other] = ['tasker', 'tasker/testing'].map(name => `require('${name}')`)
  const imports = `const { Tasker } = ${one}\nconst { openTest } = ${other}\n`
  const cjs = `${imports};(async () => {${work}\n})()`
  assert.equal(prints('testing.cjs', cjs), '42 true\n')
})

test('tasker/concurrency works by import and by require, with the same classes', () => {
  const work = `
  const tasker = new Tasker(':memory:')
  const module = new Concurrency(tasker, { invoke: () => 42 })
  await tasker.start()
  const taskIds = await module.schedule({ tasks: [{ uri: 'wrap://a', method: 'b', args: {} }] })
  const [{ result }] = await module.result({ taskIds, returnWhen: 'ALL_COMPLETED' })
  console.log(decode(result))
  await tasker.close()`
  const names = '{ Concurrency, decode }'
  const first = `import { Tasker } from 'tasker'\n`
  const esm = `${first}import ${names} from 'tasker/concurrency'\n${work}`
  assert.equal(prints('concurrency.mjs', esm), '42\n')
  const [one, other] = ['tasker', 'tasker/concurrency'].map(name => `require('${name}')`)
  const imports = `const { Tasker } = ${one}\nconst ${names} = ${other}\n`
  assert.equal(prints('concurrency.cjs', `${imports};(async () => {${work}\n})()`), '42\n')
})

test('it works by require, with the same class', () => {
  const same = `
  const { Tasker: imported } = await import('tasker')
  if (imported !== Tasker) throw new Error('two classes')`
  const program = `const { Tasker } = require('tasker')\n;(async () => {${work}${same}\n})()`
  assert.equal(prints('cjs.cjs', program), '42\n')
})

test('a module is a runner by import and by require, and has tasker itself', () => {
  const runner = `import { Unrecoverable } from 'tasker'
  export default ({ data }) => (Unrecoverable ? data * 2 : 0)`
  writeFileSync(join(folder, 'double.mjs'), runner)
  const url = `require('node:url').pathToFileURL(require.resolve('./double.mjs'))`
  const inThread = module => work.replace('async ({ data }) => data * 2', module)
  const beside = "new URL('./double.mjs', import.meta.url)"
  const esm = `import { Tasker } from 'tasker'\n${inThread(beside)}`
  assert.equal(prints('thread.mjs', esm), '42\n')
  const cjs = `const { Tasker } = require('tasker')\n;(async () => {${inThread(url)}\n})()`
  assert.equal(prints('thread.cjs', cjs), '42\n')
})

test('publint finds nothing', () => {
  const told = tool('publint/src/cli.js', ['run', tarball, '--strict'], folder)
  assert.match(told, /All good!/)
})

test('arethetypeswrong finds nothing, whatever resolves the import', () => {
  const attw = '@arethetypeswrong/cli/dist/index.js'
  const { analysis } = JSON.parse(tool(attw, [tarball, '--format', 'json'], folder))
  assert.deepEqual(analysis.problems, [])
  const { resolutions } = analysis.entrypoints['.']
  for (const [kind, { resolution }] of Object.entries(resolutions)) {
    assert.equal(resolution?.isTypeScript, true, kind)
  }
})

test('its Rust sources are a whole workspace, with a lock file that names what they need', () => {
  // Without the dependencies: those of other platforms were never downloaded to this machine.
  const metadata = ['metadata', '--format-version', '1', '--no-deps', '--offline']
  const { packages } = JSON.parse(output('cargo', metadata, { cwd: installed }))
  const names = packages.map(each => each.name)
  assert.ok(names.includes('tasker') && names.includes('tasker-sqlite'))
  assert.ok(!names.includes('tasker-proof'), 'the proof is not shipped')

  const lock = readFileSync(join(installed, 'Cargo.lock'), 'utf8')
  const locked = new Set([...lock.matchAll(/^name = "(.+)"$/gm)].map(([, name]) => name))
  const needed = packages.flatMap(each => each.dependencies)
  const lost = needed.filter(({ path, name }) => !(path ? names : [...locked]).includes(name))
  assert.ok(needed.some(({ path }) => path) && needed.some(({ path }) => !path))
  assert.deepEqual(lost, [])
})
