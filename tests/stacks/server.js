// An API in Node: server.js PORT LOG [h2]. A line `METHOD TARGET STATUS` for each request, over HTTP/1.1 or over HTTP/2
// without TLS.
const fs = require("fs");
const [port, file, protocol] = process.argv.slice(2);
const log = fs.openSync(file, "a");

function answer(request, response) {
    let sent = 0;
    request.on("data", (piece) => (sent += piece.length));
    request.on("end", () => {
        const status = request.url.includes("/missing") ? 404 : request.method === "POST" ? 201 : 200;
        response.on("finish", () => fs.writeSync(log, `${request.method} ${request.url} ${status}\n`));
        // Without a length: chunked in HTTP/1.1.
        response.writeHead(status, { "content-type": "application/json", "set-cookie": ["a=1", "session=2"] });
        for (let piece = 0; piece < 5 && request.method !== "HEAD"; piece++) {
            response.write(JSON.stringify({ piece, sent, text: "x".repeat(500) }) + "\n");
        }
        response.end();
    });
}

const server = protocol === "h2" ? require("http2").createServer(answer) : require("http").createServer(answer);
server.listen(Number(port), "127.0.0.1");
