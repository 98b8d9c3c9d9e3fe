use modo::{model::{nano, Model, generate::*, qwen2_vl::Padding}, rl::algorithm::Algorithm, seed::Seed, tasks::{Generator, Part}, train::{sft, optimizer::{Optimizer, Settings, Workers}, warm_up}, sample::Rows, reward::{Reward, Gold}, data::picture, sampler, mixture::Mixture, name::Name, model::weights::*};
use std::time::Instant;
fn main() {
    let args: Vec<String> = std::env::args().collect();
    let plan: toml::Table = std::fs::read_to_string(&args[1]).unwrap().parse().unwrap();
    let out = std::path::Path::new(&args[2]);
    let threads: usize = args[3].parse().unwrap();
    let device = burn::tensor::Device::flex();
    let mut names = ["detect","refer","geometry","spatial","science","chart","infographic","visual_math","mixed_exam"];
    names.sort();
    let rows = 1_000_000;
    let gens: Vec<Generator> = names.iter().map(|n| Generator::new(n, Part::Train, Seed::new(1), rows).unwrap()).collect();
    let ids: Vec<Name> = names.iter().map(|n| n.parse().unwrap()).collect();
    let datasets: Vec<sampler::Dataset> = ids.iter().zip(&gens).map(|(n, g)| sampler::Dataset { name: n.clone(), content_hash: g.content_hash(), rows }).collect();
    let schedule = sampler::Schedule::new(&Mixture::uniform(&ids).unwrap(), &datasets, Seed::new(0), &sampler::Settings::default()).unwrap();
    let seed = Seed::new(0);
    let Algorithm::Sft(sft) = Algorithm::from_table(plan["algorithm"].as_table().unwrap()).unwrap() else { panic!() };
    let s = sft.settings().clone();
    let settings = Settings { betas: (s.betas[0], s.betas[1]), epsilon: 1e-8, weight_decay: s.weight_decay, max_gradient_norm: s.max_gradient_norm, muon: true };
    let mut opt = Optimizer::new(settings, true);
    let first;
    let mut model: Model;
    if args.len() > 4 {
        let from = std::path::Path::new(&args[4]);
        model = Model::load(from, &device).unwrap();
        first = std::fs::read_to_string(from.join("step.txt")).unwrap().trim().parse().unwrap();
        let mut src = Checkpoint::from_bytes("opt", std::fs::read(from.join("optimizer.bin")).unwrap()).unwrap();
        opt.restore(&mut model.network, first as usize, &mut src).unwrap();
    } else { first = 0u64; model = nano::create(out, warm_up::texts(&gens, 400), seed.child("base"), &device).unwrap(); }
    let workers = Workers::new(threads);
    let start = Instant::now();
    let mut ema = 0.0;
    let total = sft.steps();
    for step in first..total {
        let draws: Vec<(usize,u64)> = (0..s.batch as u64).map(|i| { let d = schedule.draw(step * s.batch as u64 + i).unwrap(); (d.dataset, d.row) }).collect();
        let (g, loss) = sft::step(&model, &sft, &gens, &draws, step, seed, &workers).unwrap();
        let norm = opt.step(&mut model.network, g, s.learning_rate * sft.rate(step), s.muon_learning_rate * sft.rate(step));
        ema = if step == first { loss } else { 0.98*ema + 0.02*loss };
        if step % 100 == 0 { eprintln!("{step}/{total} loss {ema:.4} norm {norm:.2} {:.0}s stage {}", start.elapsed().as_secs_f64(), sft.stage(step).name); }
        let ends = step + 1 == total || sft.stage(step).name != sft.stage(step + 1).name;
        if step % 500 == 499 || ends {
            let to = if ends { out.join(&sft.stage(step).name) } else { out.to_path_buf() };
            model.save(&model.network, &to, false).unwrap();
            std::fs::write(to.join("optimizer.bin"), to_safetensors(&opt.named(), false)).unwrap();
            std::fs::write(to.join("step.txt"), format!("{}", step + 1)).unwrap();
            let v: toml::Value = toml::Value::Array(["choice","number","boxes","text"].iter().map(|x| toml::Value::String((*x).into())).collect());
            let reward = Reward::from_tables(&v, None).unwrap();
            let last = step + 1 == total;
            for (greedy, k) in [(true, 1), (false, 2)] {
                let mut line = String::new();
                for n in names {
                    let g = Generator::new(n, Part::Selection, Seed::new(1), 1<<40).unwrap();
                    let (mut acc, mut fmt, mut len, mut lenient) = (0.0, 0.0, 0.0, 0.0);
                    let nq = if last { 200 } else { 50 };
                    let samples: Vec<_> = (0..nq).map(|i| g.row(i).unwrap()).collect();
                    let seqs: Vec<_> = samples.iter().map(|s| { let p = model.patches(&[picture::decode(&s.pictures[0]).unwrap()]).unwrap(); let mut q = model.prompt(&s.question, &[p[0].grid]).unwrap(); q.features = model.network.features(&[&p[0]]); q }).collect();
                    let reqs: Vec<_> = seqs.iter().enumerate().map(|(i, q)| Request { prompt: q, seeds: (0..k).map(|j| Seed::new(3).child(i).child(j)).collect() }).collect();
                    let sampling = if greedy { Sampling::greedy(64) } else { Sampling::at_temperature_1(64) };
                    let out = generate(&model.network, &reqs, sampling, &model.config.tokens.eos, Padding::Right);
                    for (i, (s, os)) in samples.iter().zip(&out).enumerate() { for o in os {
                        let text = model.tokenizer.decode(&o.tokens).unwrap();
                        let r = reward.score(&Gold { answer: &s.answer, options: &s.options, picture_size: Some((64,64)) }, &text);
                        acc += r.accuracy; lenient += r.lenient_accuracy; fmt += f64::from(u8::from(r.format)); len += o.tokens.len() as f64;
                        if i < 2 { eprintln!("   {n}: {} -> {} [{}]", s.question, text, s.answer.written()); }
                    }}
                    let m = (nq * k) as f64;
                    line += &format!("{n} {:.2}/{:.2}/{:.2} {:.0} | ", acc/m, lenient/m, fmt/m, len/m);
                }
                eprintln!("{} {line}", if greedy {"greedy"} else {"T=1"});
            }
        }
    }
}
