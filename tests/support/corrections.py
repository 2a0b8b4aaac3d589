"""Places and words to combine into corrected texts. The corpus contains none of the words."""

PLACES = ("桥头", "村口", "河边", "菜场", "校门", "厂区", "弄堂", "码头", "广场", "车站", "山脚", "渔港")
WORDS = ("蹦蹦亭", "蹦蹦棚", "蹦蹦摊", "蹦蹦车", "蹦蹦屋", "蹦蹦架", "蹦蹦台", "蹦蹦桥", "蹦蹦池", "蹦蹦箱")
