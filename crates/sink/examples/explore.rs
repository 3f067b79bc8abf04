//! scratch
use std::sync::Arc; use std::time::Instant; use arrow::array::*; use arrow::datatypes::*;
use parquet::arrow::ArrowWriter; use parquet::file::properties::*; use parquet::basic::*; use parquet::schema::types::ColumnPath;
fn dict(v:&[&str], f: impl Fn(usize)->i32, n:usize)->ArrayRef{ Arc::new(DictionaryArray::<Int32Type>::try_new(Int32Array::from((0..n).map(|i|f(i)).collect::<Vec<_>>()), Arc::new(StringArray::from(v.to_vec()))).unwrap()) }
fn batch(start:usize,n:usize, smooth:bool)->RecordBatch{
 let mut x: u64 = 88172645463325252 ^ (start as u64+1).wrapping_mul(0x9E3779B97F4A7C15);
 let mut rnd=||{ x^=x<<13; x^=x>>7; x^=x<<17; (x>>11) as f64/(1u64<<53) as f64 };
 let keys:Vec<String>=(0..100).map(|k|format!("meter-{k:05}")).collect(); let keys:Vec<&str>=keys.iter().map(|s|s.as_str()).collect();
 let ev=|i:usize|(start+i)/21;
 let mut cols:Vec<(String,ArrayRef)>=vec![
 ("partition".into(),dict(&["power"],|_|0,n)),
 ("offset".into(),Arc::new(Int64Array::from_iter_values((0..n).map(|i|ev(i) as i64)))),
 ("key".into(),dict(&keys,|i|(ev(i)*7%100) as i32,n)),
 ("time".into(),Arc::new(TimestampMicrosecondArray::from_iter_values((0..n).map(|i|1_500_000_000_000_000+ev(i) as i64*900_000_000)).with_timezone("UTC"))),
 ("target".into(),dict(&["HUFL","HULL","MUFL","MULL","LUFL","LULL","OT"],|i|((start+i)/3%7) as i32,n)),
 ("horizon".into(),Arc::new(Int32Array::from_iter_values((0..n).map(|_|1)))),
 ("model".into(),dict(&["forecast","persistence","ar"],|i|((start+i)%3) as i32,n)),
 ("family".into(),dict(&["student-t","gaussian"],|i|((start+i)%3==0) as i32,n)),
 ];
 for c in ["mean","scale","shape","q025","q100","q250","q500","q750","q900","q975","observed","forecast","nll","crps"] {
  let nulls = c=="shape";
  let v:Vec<Option<f64>>=(0..n).map(|i| if nulls && (start+i)%3==0 {None} else if smooth {Some(((i as f64)*0.01).sin()*10.+rnd())} else {Some(rnd())}).collect();
  cols.push((c.into(),Arc::new(Float64Array::from(v)))); }
 RecordBatch::try_from_iter_with_nullable(cols.into_iter().map(|(n,a)|(n,a,true))).unwrap()
}
fn main(){
 let per=21*390; let nb=64; 
 let batches:Vec<_>=(0..nb).map(|b|batch(b*per,per,true)).collect(); let rows=per*nb;
 let z=Compression::ZSTD(ZstdLevel::try_new(1).unwrap());
 let mut confs:Vec<(&str,WriterProperties)>=vec![];
 let floats=["mean","scale","shape","q025","q100","q250","q500","q750","q900","q975","observed","forecast","nll","crps"];
 let base=||WriterProperties::builder().set_max_row_group_row_count(Some(131072));
 confs.push(("default none",base().build()));
 confs.push(("default zstd1",base().set_compression(z).build()));
 let tuned=|c:Compression,fc:Compression,enc:Encoding,fst:EnabledStatistics,wb:usize|{ let mut b=base().set_compression(c).set_statistics_enabled(EnabledStatistics::Chunk).set_write_batch_size(wb);
  for f in floats { let p=ColumnPath::from(f); b=b.set_column_dictionary_enabled(p.clone(),false).set_column_compression(p.clone(),fc).set_column_encoding(p.clone(),enc).set_column_statistics_enabled(p,fst);} 
  for f in ["offset","time"] { let p=ColumnPath::from(f); b=b.set_column_dictionary_enabled(p.clone(),false).set_column_encoding(p,Encoding::DELTA_BINARY_PACKED);} b.build()};
 use EnabledStatistics as S; let n=Compression::UNCOMPRESSED;
 confs.push(("none/none plain nostat",tuned(n,n,Encoding::PLAIN,S::None,1024)));
 confs.push(("none/none plain chunk",tuned(n,n,Encoding::PLAIN,S::Chunk,1024)));
 confs.push(("zstd/none plain nostat",tuned(z,n,Encoding::PLAIN,S::None,1024)));
 confs.push(("zstd/none plain nostat wb8192",tuned(z,n,Encoding::PLAIN,S::None,8192)));
 confs.push(("zstd/none plain chunk",tuned(z,n,Encoding::PLAIN,S::Chunk,1024)));
 confs.push(("zstd/zstd plain nostat",tuned(z,z,Encoding::PLAIN,S::None,1024)));
 confs.push(("zstd/none BSS nostat",tuned(z,n,Encoding::BYTE_STREAM_SPLIT,S::None,1024)));
 confs.push(("zstd/zstd BSS nostat",tuned(z,z,Encoding::BYTE_STREAM_SPLIT,S::None,1024)));
 confs.push(("snappy/snappy BSS nostat",tuned(Compression::SNAPPY,Compression::SNAPPY,Encoding::BYTE_STREAM_SPLIT,S::None,1024)));
 confs.push(("snappy/snappy plain nostat",tuned(Compression::SNAPPY,Compression::SNAPPY,Encoding::PLAIN,S::None,1024)));
 for (name,p) in confs { let mut best=f64::MAX; let mut size=0; for _ in 0..3 { 
  let mut w=ArrowWriter::try_new(Vec::with_capacity(200<<20),batches[0].schema(),Some(p.clone())).unwrap(); let t=Instant::now();
  for b in &batches { w.write(b).unwrap(); } w.finish().unwrap(); size=w.inner().len(); best=best.min(t.elapsed().as_secs_f64()); }
  println!("{name:32} {:.3} us/row  {:.1} B/row",best*1e6/rows as f64,size as f64/rows as f64);
 }
 // per column
 let p=tuned(z,n,Encoding::PLAIN,S::None,1024);
 for c in 0..batches[0].num_columns() { let bs:Vec<_>=batches.iter().map(|b|b.project(&[c]).unwrap()).collect(); let mut best=f64::MAX; for _ in 0..3{ let mut w=ArrowWriter::try_new(Vec::with_capacity(20<<20),bs[0].schema(),Some(p.clone())).unwrap(); let t=Instant::now(); for b in &bs { w.write(b).unwrap(); } w.finish().unwrap(); best=best.min(t.elapsed().as_secs_f64());}
 println!("  {:12} {:.1} ns/row",bs[0].schema().field(0).name(),best*1e9/rows as f64); }
}
