// The guides are true: their programs pass the compiler, run, and print what is shown; their links
// lead somewhere.
//
// The words after a block's language say what it is:
// - `js run`, `ts run`: a program; if a `text` block follows next, that is all it prints
// - `js file=name.mjs`: a file of the page, for the transcripts below it
// - `console`: a transcript; lines with `$ node …` are run in the folder of the page's files
// - `… example=express/server.ts`: the text of that file in examples/, which tests of its own run;
//   UPDATE=1 copies it into the page
// A program that is none of these would be a claim that nobody checks.

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { blocksOf, compile, deadLinks, linksOf, pagesBelow, read, targetOf } from './pages.mjs'
import { linkedFolder, output, root } from './program.mjs'

const pages = [...pagesBelow('docs/guide'), ...pagesBelow('docs/reference')]

const isProgram = ({ language }) => ['js', 'ts'].includes(language)
const fileName = ({ words }) => /^file=([\w.-]+)$/.exec(words)?.[1]
const exampleName = ({ words }) => /^example=(\S+)$/.exec(words)?.[1]
const isRun = block => isProgram(block) && block.words === 'run'

/** What a block that is run must print, if the page says so. */
const printed = (blocks, block) => {
  const next = blocks[blocks.indexOf(block) + 1]
  return next?.language === 'text' ? next.text : undefined
}

/** Runs the commands of a transcript and writes down what a terminal would show. */
function replay(transcript, folder) {
  const commands = transcript.split('\n').filter(line => line.startsWith('$ '))
  const shown = commands.map(command => {
    const [, program, ...args] = command.split(' ')
    assert.equal(program, 'node')
    const options = { cwd: folder, encoding: 'utf8', timeout: 300_000 }
    const { stdout, stderr, status, signal } = spawnSync(process.execPath, args, options)
    if (signal === 'SIGKILL') return `${command}\n${stdout}Killed\n`
    assert.equal(status, 0, `${command}\n${stdout}${stderr}${signal ?? ''}`)
    return `${command}\n${stdout}`
  })
  return shown.join('')
}

for (const page of pages) {
  const blocks = blocksOf(page)

  for (const block of blocks.filter(isRun)) {
    const [first] = block.text.split('\n').filter(line => /Runner|addTasks?\(/.test(line))
    test(`${page}: a ${block.language} program runs and prints what is shown: ${first}`, t => {
      const folder = linkedFolder(t)
      const name = block.language === 'ts' ? 'program.mts' : 'program.mjs'
      writeFileSync(join(folder, name), block.text)
      if (block.language === 'ts') compile(folder, name)
      const stdout = output(process.execPath, ['program.mjs'], { cwd: folder })
      assert.equal(stdout, printed(blocks, block) ?? stdout)
    })
  }

  if (blocks.some(fileName)) {
    test(`${page}: its files do together what the transcripts show`, t => {
      const folder = linkedFolder(t)
      for (const block of blocks) {
        if (fileName(block)) writeFileSync(join(folder, fileName(block)), block.text)
        if (block.language === 'console') assert.equal(replay(block.text, folder), block.text)
      }
    })
  }
}

for (const page of [...pages, 'README.md']) {
  if (!blocksOf(page).some(exampleName)) continue

  test(`${page}: the examples in it are the files`, () => {
    const drawn = read(page).replaceAll(
      /^(```\w+ example=(\S+)\n).*?^```$/gms,
      (_, head, path) => `${head}${read(`examples/${path}`)}\`\`\``,
    )
    if (process.env.UPDATE) writeFileSync(join(root, page), drawn)
    assert.equal(read(page), drawn)
  })
}

const all = [
  ...['README.md', 'CONTRIBUTING.md', 'SECURITY.md', 'CHANGELOG.md', 'examples/README.md'],
  ...pagesBelow('docs'),
]

for (const page of all) {
  test(`${page}: its links lead to a file and a heading`, () => {
    assert.deepEqual(deadLinks(page), [])
  })
}

test('each command of npm that a page names is there', () => {
  const scripts = Object.keys(JSON.parse(read('package.json')).scripts)
  for (const page of all) {
    const named = [...read(page).matchAll(/npm run ([\w:]+)/g)].map(([, name]) => name)
    assert.deepEqual(
      named.filter(name => !scripts.includes(name)),
      [],
      page,
    )
  }
})

test('no program in the guides goes unchecked', () => {
  for (const page of pages) {
    const isChecked = one => isRun(one) || fileName(one) || exampleName(one)
    const loose = blocksOf(page).filter(one => isProgram(one) && !isChecked(one))
    assert.deepEqual(loose, [], page)
  }
})

test('each page of the guide is in its table', () => {
  const linked = linksOf('docs/guide/README.md').map(link => targetOf('docs/guide/README.md', link))
  const missing = pagesBelow('docs/guide').filter(page => !linked.includes(page))
  assert.deepEqual(missing, ['docs/guide/README.md'])
})
