// ONNX Runtime in turns with the bench (see start.sh): onnxruntime_peer.js THREADS FOLDER BATCH
// Its threads stop looking for work when a run ends, so that they do not take the other side's time.
'use strict';
const fs = require('fs');
const readline = require('readline');
const ort = require('onnxruntime-node');

async function main() {
    const [threads, folder, batch] = process.argv.slice(2);
    const session = await ort.InferenceSession.create(`${folder}/model.onnx`, {
        executionProviders: ['cpu'],
        intraOpNumThreads: Number(threads),
        interOpNumThreads: 1,
        executionMode: 'sequential',
        graphOptimizationLevel: 'all',
        extra: {session: {force_spinning_stop: '1'}},
    });
    const bytes = fs.readFileSync(`${folder}/pixels.f32`);
    const pixels = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
    const feeds = {pixels: new ort.Tensor('float32', pixels, [Number(batch), 3, 224, 224])};
    const version = require('onnxruntime-node/package.json').version;
    let isFirst = true;
    console.log(`ready ONNX Runtime ${version}`);
    for await (const line of readline.createInterface({input: process.stdin})) {
        const start = process.hrtime.bigint();
        let out;
        for (let i = 0; i < Number(line); i++)
            out = await session.run(feeds);
        const ms = Number(process.hrtime.bigint() - start) / 1e6 / Number(line);
        if (isFirst) {
            const data = out.layer.data;
            fs.writeFileSync(`${folder}/output.f32`,
                new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
        }
        isFirst = false;
        console.log(ms);
    }
}

main().catch((error) => {
    console.error(String(error));
    process.exit(1);
});
