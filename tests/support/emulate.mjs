// Starts emulate's GitHub: node emulate.mjs EMULATE SEED. Prints its address and the App's key as
// JSON, then serves until its standard input ends.
const [emulate, seed] = process.argv.slice(2)
const { createEmulator } = await import(emulate)
const github = await createEmulator({ service: 'github', port: 0, seed: JSON.parse(seed) })
const key = github.generatedSecrets.find((secret) => secret.kind === 'github.app_private_key')
console.log(JSON.stringify({ url: github.url, key: key.value }))
process.stdin.resume()
process.stdin.on('end', () => process.exit(0))
