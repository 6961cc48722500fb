from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('messagelog', '0001_initial'),
    ]

    operations = [
        migrations.AddField(
            model_name='loggeneration',
            name='identity',
            field=models.CharField(blank=True, default='', max_length=200),
        ),
    ]
