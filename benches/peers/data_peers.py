"""The data layer's workload, and other programs on it.

    python data_peers.py make FOLDER            five Parquet sets, 50 000 rows, shares .35 .25 .20 .15 .05
    python data_peers.py make_large FOLDER [none|snappy [ROWS]]   the same with pictures of 219 kB, 1200 or ROWS in a set
    python data_peers.py PEER FOLDER [SAMPLES]  one of: floor hf grain mosaic torch, in a process of its own
    python data_peers.py all FOLDER [SAMPLES]   all of them, three processes each, medians

Prints CPU seconds for decoded samples (RGB in memory), for index-only draws where the peer has them, the time from
opening to the first sample, and private memory. One thread: set OMP_NUM_THREADS=1. datasets 5.2.0, grain 0.2.18,
mosaicml-streaming 0.13.0, pyarrow 26.0.1, Pillow 13.0.0 were measured.

Pictures are not compressed, as `datasets` 5.2.0 writes them; `pyarrow` and older `datasets` compress them with snappy
unless told otherwise.
"""

import io, json, os, random, statistics, subprocess, sys, time

ROWS = [20_000, 12_000, 10_000, 6_000, 2_000]
SHARES = [0.35, 0.25, 0.20, 0.15, 0.05]
# Side in pixels and format of each set.
KINDS = [(96, "PNG"), (128, "JPEG"), (160, "JPEG"), (224, "JPEG"), (64, "PNG")]


def compression(pictures):
    return {"image.bytes": pictures, "image.path": pictures, "problem": "snappy", "solution": "snappy"}


def make(folder):
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq
    from PIL import Image

    os.makedirs(folder, exist_ok=True)
    image = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    features = {"image": {"_type": "Image"}, "problem": {"dtype": "string", "_type": "Value"}, "solution": {"dtype": "string", "_type": "Value"}}
    schema = pa.schema([("image", image), ("problem", pa.string()), ("solution", pa.string())],
        metadata={"huggingface": json.dumps({"info": {"features": features}})})
    for k, (rows, (side, kind)) in enumerate(zip(ROWS, KINDS)):
        rng = np.random.default_rng(k)
        with pq.ParquetWriter(f"{folder}/set{k}.parquet", schema, compression=compression("none")) as writer:
            for start in range(0, rows, 100):
                pictures, problems, solutions = [], [], []
                for i in range(start, start + 100):
                    # A few flat shapes on a gradient: compresses as real pictures do.
                    pixels = np.zeros((side, side, 3), np.uint8)
                    pixels[:] = (np.linspace(0, 160, side)[:, None, None] + rng.integers(0, 60, 3)).astype(np.uint8)
                    for _ in range(6):
                        x, y, w, h = rng.integers(0, side, 4)
                        pixels[y:y + h // 2 + 2, x:x + w // 2 + 2] = rng.integers(0, 255, 3)
                    out = io.BytesIO()
                    Image.fromarray(pixels).save(out, kind, **({"quality": 85} if kind == "JPEG" else {}))
                    pictures.append({"bytes": out.getvalue(), "path": None})
                    problems.append(f"How many shapes are there in picture {i}?")
                    solutions.append(f"<answer> {i % 7} </answer>")
                writer.write_table(pa.table([pa.array(pictures, image), problems, solutions], schema=schema))
    write_catalogue(folder)


def make_large(folder, packed="none", rows="1200"):
    """Noise, so that no compression shortens it: 200 different pictures, each with its number behind the end."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq
    from PIL import Image

    os.makedirs(folder, exist_ok=True)
    image = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    rng = np.random.default_rng(0)
    noise = []
    for _ in range(200):
        out = io.BytesIO()
        Image.fromarray(rng.integers(0, 256, (512, 512, 3), np.uint8)).save(out, "JPEG", quality=88)
        noise.append(out.getvalue())
    for k in range(5):
        columns = [("image", image), ("problem", pa.string()), ("solution", pa.string())]
        with pq.ParquetWriter(f"{folder}/set{k}.parquet", pa.schema(columns), compression=compression(packed)) as writer:
            for start in range(0, int(rows), 100):
                numbers = range(start, start + 100)
                pictures = [{"bytes": noise[i % 200] + f"{k} {i}".encode(), "path": None} for i in numbers]
                rest = [f"Which noise is {i}?" for i in numbers], [f"<answer> {i % 7} </answer>" for i in numbers]
                writer.write_table(pa.table([pa.array(pictures, image), *rest], schema=pa.schema(columns)))
    write_catalogue(folder)


def write_catalogue(folder):
    with open(f"{folder}/datasets.toml", "w") as out:
        for k in range(len(ROWS)):
            out.write(f"[set{k}]\nrole = 'train'\nformat = 'parquet'\nfiles = 'set{k}.parquet'\nquestion = 'problem'\nimages = 'image'\n"
                "answer = 'solution'\nanswer_in = '<answer>'\nanswer_type = 'number'\nverifier = 'number'\nprompt = '{question}'\nlicence = 'CC0-1.0'\n\n")


def private_mib():
    with open("/proc/self/smaps_rollup") as file:
        return sum(int(line.split()[1]) for line in file if line.startswith("Private")) / 1024


def decode(data):
    from PIL import Image
    Image.open(io.BytesIO(data)).convert("RGB").tobytes()


def measure(name, opened, samples, draws=None):
    """`opened`: returns an endless iterator of encoded pictures; `draws`: index-only draws, (how many, what runs them)."""
    from PIL import Image  # imported before the clock starts
    wall = time.perf_counter()
    it = opened()
    decode(next(it))
    first = time.perf_counter() - wall
    cpu = time.process_time()
    for _ in range(samples):
        decode(next(it))
    cpu = time.process_time() - cpu
    result = {"peer": name, "samples_per_cpu_s": samples / cpu, "first_s": first, "private_mib": private_mib()}
    if draws:
        count, run = draws
        cpu = time.process_time()
        run(count)
        result["draws_per_cpu_s"] = count / (time.process_time() - cpu)
    print(json.dumps(result))


def floor(folder, samples):
    import pyarrow.parquet as pq
    rng = random.Random(1)
    sets = [pq.read_table(f"{folder}/set{k}.parquet")["image"].combine_chunks().field("bytes") for k in range(5)]
    chosen = [sets[k][rng.randrange(len(sets[k]))].as_py() for k in rng.choices(range(5), SHARES, k=samples + 1)]
    measure("floor (bytes in memory, Pillow)", lambda: iter(chosen), samples)


def hf(folder, samples):
    from datasets import Image, interleave_datasets, load_dataset

    def load(**more):
        sets = [load_dataset("parquet", data_files=f"{folder}/set{k}.parquet", split="train", cache_dir=f"{folder}/hf").cast_column("image", Image(decode=False)) for k in range(5)]
        return interleave_datasets([s.shuffle(seed=1) for s in sets], probabilities=SHARES, seed=1, stopping_strategy="all_exhausted")

    load()


    measure("HF datasets, map style", lambda: (row["image"]["bytes"] for row in load()), samples)


def grain(folder, samples):
    import grain.python as g
    import pyarrow.parquet as pq

    class Rows:
        def __init__(self, k):
            self.bytes = pq.read_table(f"{folder}/set{k}.parquet")["image"].combine_chunks().field("bytes")

        def __len__(self):
            return len(self.bytes)

        def __getitem__(self, i):
            return self.bytes[int(i)].as_py()

    def mixed():
        return g.MapDataset.mix([g.MapDataset.source(Rows(k)).shuffle(seed=1).repeat() for k in range(5)], weights=SHARES)

    def opened():
        m = mixed()
        return (m[i] for i in range(1 << 40))

    def indices(count):
        m = g.MapDataset.mix([g.MapDataset.range(n).shuffle(seed=1).repeat() for n in ROWS], weights=SHARES)
        for i in range(count):
            m[i]

    measure("Grain mix", opened, samples, (100_000, indices))


def mosaic(folder, samples):
    import pyarrow.parquet as pq
    from streaming import MDSWriter, Stream, StreamingDataset
    streams = []
    for k in range(5):
        local = f"{folder}/mds/set{k}"
        if not os.path.isdir(local):
            with MDSWriter(out=local, columns={"image": "bytes"}) as out:
                for data in pq.read_table(f"{folder}/set{k}.parquet")["image"].combine_chunks().field("bytes"):
                    out.write({"image": data.as_py()})
        streams.append(Stream(local=local, proportion=SHARES[k]))

    def opened():
        while True:
            for row in StreamingDataset(streams=streams, epoch_size=50_000, shuffle=True, shuffle_seed=1, batch_size=512):
                yield row["image"]

    measure("mosaic-streaming", opened, samples)


def torch(folder, samples):
    import pyarrow.parquet as pq
    from torch.utils.data import ConcatDataset, DataLoader, Dataset, WeightedRandomSampler

    class Rows(Dataset):
        def __init__(self, k):
            self.bytes = pq.read_table(f"{folder}/set{k}.parquet")["image"].combine_chunks().field("bytes")

        def __len__(self):
            return len(self.bytes)

        def __getitem__(self, i):
            return self.bytes[i].as_py()

    def opened():
        sets = [Rows(k) for k in range(5)]
        weights = [share / len(rows) for share, rows in zip(SHARES, sets) for _ in range(len(rows))]
        # Decoded one by one below: no batches, no workers.
        return iter(DataLoader(ConcatDataset(sets), batch_size=None, sampler=WeightedRandomSampler(weights, samples + 1)))

    def indices(count):
        weights = [share / rows for share, rows in zip(SHARES, ROWS) for _ in range(rows)]
        for _ in WeightedRandomSampler(weights, count):
            pass

    measure("torch DataLoader", opened, samples, (1_000_000, indices))


def everything(folder, samples):
    for peer in ("floor", "hf", "grain", "mosaic", "torch"):
        runs = []
        for _ in range(3):
            done = subprocess.run([sys.executable, __file__, peer, folder, str(samples)], capture_output=True, text=True)
            lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
            if not lines:
                print(peer, "failed:", done.stderr[-400:])
                break
            runs.append(json.loads(lines[-1]))
        for key in runs[0] if runs else ():
            if key != "peer":
                values = sorted(run[key] for run in runs)
                print(f"{runs[0]['peer']}: {key} {statistics.median(values):.3f} [{values[0]:.3f}, {values[-1]:.3f}]")


if __name__ == "__main__":
    command, folder = sys.argv[1:3]
    more = sys.argv[3:]
    if command in ("make", "make_large"):
        {"make": make, "make_large": make_large}[command](folder, *more)
    else:
        samples = int(more[0]) if more else 10_000
        {"floor": floor, "hf": hf, "grain": grain, "mosaic": mosaic, "torch": torch, "all": everything}[command](folder, samples)
