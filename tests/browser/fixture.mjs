// Makes a small run for the browser tests: data with awkward titles, a model with λ and one with a gate, codes, exports.
//   node fixture.mjs SEMINAR FOLDER
import {execFileSync} from "node:child_process";
import {mkdirSync, rmSync, writeFileSync} from "node:fs";

const [seminar, folder] = process.argv.slice(2);
rmSync(folder, {recursive: true, force: true});
mkdirSync(`${folder}/source`, {recursive: true});
mkdirSync(`${folder}/run`);

const users = 12, movies = 90, genres = ["Drama|War", "Comedy", "Action|Drama"];
const movieLines = Array.from({length: movies}, (_, i) =>
  `${i + 1},"Movie ${i + 1}, ${["The", "</script><b>Bold</b>", "A & B"][i % 3]} (${1950 + i})",${genres[i % 5 % 3]}`);
const ratingLines = [], tagLines = [];
for (let user = 1; user <= users; ++user)
  for (let p = 0; p < 12 + 3 * user; ++p) {
    const movie = 1 + (user * 3 + p * 7) % movies;
    ratingLines.push(`${user},${movie},4.0,${1000 + 10 * p}`);
    if (p % 5 === 0) tagLines.push(`${user},${movie},${["war & <i>peace</i>", "funny", "old"][p % 3]},${1000 + 10 * p}`);
  }
const table = (name, head, lines) => writeFileSync(`${folder}/source/${name}.csv`, `${[head, ...new Set(lines)].join("\n")}\n`);
table("movies", "movieId,title,genres", movieLines);
table("ratings", "userId,movieId,rating,timestamp", ratingLines);
table("tags", "userId,movieId,tag,timestamp", tagLines);

const run = (command) => execFileSync(seminar, command.split(" "), {cwd: folder, stdio: ["ignore", "ignore", "inherit"]});
const small = "--dim 16 --heads 3 --text bag --hidden 16 --epochs 30 --lr 0.005 --dropout 0 --keep last --threads 1 --k 8 --history 30 --negatives 2 --batch 32 --eval-negatives 19";
run("data import movielens source --out run/data");
for (const fusion of ["lambda", "gate"]) run(`train --data run/data --fusion ${fusion} --out run/${fusion}.safetensors ${small}`);
run("quantize --data run/data --model run/lambda.safetensors --sub-quantizers 4 --centroids 8 --out codes.safetensors");
run("export --data run/data --model run/lambda.safetensors --pq codes.safetensors --out lambda.safetensors");
run("export --data run/data --model run/gate.safetensors --out gate.safetensors");
